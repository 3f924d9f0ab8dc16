"""Boxes and masks follow their image onto its canvas and back, whatever its size."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from PIL import Image

from imagine_lib.data.imageset import Box
from imagine_lib.data.mosaics import draw_mosaic
from imagine_lib.data.preprocessing import make_input_spec, place, to_canvas
from imagine_lib.data.regions import regions, run_lengths
from imagine_lib.data.targets import (
    IGNORED,
    boxes_in_image,
    boxes_on_canvas,
    learnable,
    mask_in_image,
    mask_on_canvas,
    read_mask,
)
from imagine_lib.errors import DataError
from imagine_lib.training.augmentation import flip_boxes, flip_images

if TYPE_CHECKING:
    from imagine_lib.wire import InputSpec

sides = st.integers(1, 900)
rules = st.sampled_from(["pad", "stretch", "scale"])


def spec_of(rule: str, size: int = 64, longest: int = 200) -> InputSpec:
    return make_input_spec(size, rule, [longest])  # type: ignore[arg-type]


@settings(deadline=None, max_examples=200)
@given(
    sides, sides, rules, st.integers(16, 200), st.integers(1, 900), st.lists(st.floats(0, 1), min_size=4, max_size=4)
)
def test_a_box_comes_back_where_it_was(
    width: int, height: int, rule: str, size: int, longest: int, shares: list[float]
) -> None:
    where = place(width, height, spec_of(rule, size, longest))
    left, right = sorted(shares[:2])
    top, bottom = sorted(shares[2:])
    box = Box("a", left * width, top * height, (right - left) * width, (bottom - top) * height)
    found = boxes_on_canvas([box], {"a": 0}, width, height, where)
    assert len(found.corners) + found.odd + found.tiny == 1
    if len(found.corners):
        assert (found.corners >= 0).all() and (found.corners <= size).all()
        back = boxes_in_image(found.corners, width, height, where)[0]
        tolerance = 1e-3 / min(where.across, where.down)
        assert np.allclose(back, (box.x, box.y, box.width, box.height), atol=tolerance)


@settings(deadline=None, max_examples=60)
@given(st.integers(20, 300), st.integers(20, 300), rules)
def test_a_box_lies_on_the_canvas_where_its_pixels_do(width: int, height: int, rule: str) -> None:
    pixels = np.zeros((height, width, 1), np.uint8)
    x, y, right, bottom = width // 4, height // 3, width // 4 + width // 2, height // 3 + height // 2
    pixels[y:bottom, x:right] = 255
    spec = spec_of(rule)
    bright = to_canvas(pixels, spec)[..., 0] > 127
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    seen = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    box = Box("a", x, y, right - x, bottom - y)
    corners = boxes_on_canvas([box], {"a": 0}, width, height, place(width, height, spec)).corners[0]
    assert np.abs(corners - seen).max() <= 1.0


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 300), st.integers(1, 300), rules)
def test_a_mask_lies_where_its_image_does_and_what_is_beside_is_not_learned(
    width: int, height: int, rule: str
) -> None:
    spec = spec_of(rule)
    where = place(width, height, spec)
    mask = np.ones((height, width), np.uint8)
    mask[:, width // 2 :] = 0
    numbers = learnable(mask_on_canvas(mask, where, spec.size), where, 2)
    assert (numbers == IGNORED).sum() == spec.size**2 - where.width * where.height
    image = np.full((height, width, 1), 255, np.uint8) * mask[..., None]
    bright = to_canvas(image, spec)[where.rows, where.columns, 0] > 127
    differing = (bright != (numbers[where.rows, where.columns] == 1)).mean(axis=0)
    assert (differing > 0).sum() <= 2  # at the edge alone, where smoothing decides


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.integers(1, 60), rules)
def test_an_answer_for_each_pixel_comes_back(width: int, height: int, rule: str) -> None:
    rng = np.random.default_rng(width * 61 + height)
    spec = spec_of(rule, size=256, longest=60)  # each image pixel has at least one of the canvas
    mask = rng.integers(5, size=(height, width)).astype(np.uint8)
    where = place(width, height, spec)
    assert np.array_equal(mask_in_image(mask_on_canvas(mask, where, 256), width, height, where), mask)


HOSTILE = [
    Box("a", 5, 5, 0, 10),
    Box("a", 5, 5, -3, 10),
    Box("a", float("nan"), 5, 3, 10),
    Box("a", 5, 5, float("inf"), 10),
    Box("a", 1e308, 5, 1e308, 10),
    Box("a", 100, 5, 10, 10),
    Box("a", -20, -20, 10, 10),
]


def test_hostile_boxes_are_left_out_and_the_good_one_is_cut_at_the_border() -> None:
    where = place(100, 50, spec_of("pad"))
    boxes = [*HOSTILE, Box("b", 0, 0, 9, 9), Box("a", 10, 10, 1, 30), Box("a", 80, -10, 50, 30)]
    found = boxes_on_canvas(boxes, {"a": 0}, 100, 50, where)
    assert (found.odd, found.tiny, found.strange) == (len(HOSTILE), 1, 1)
    assert boxes_in_image(found.corners, 100, 50, where).round(3).tolist() == [[80, 0, 20, 20]]


def test_a_box_on_the_filling_of_the_canvas_is_empty_in_the_image() -> None:
    where = place(100, 50, spec_of("pad"))
    box = boxes_in_image(np.array([[0.0, 2.0, 64.0, 10.0]]), 100, 50, where)[0]
    assert box[3] == 0


@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True), (True, True)])
def test_boxes_follow_their_image_when_it_is_mirrored(flips: tuple[bool, bool]) -> None:
    canvas = torch.zeros(1, 32, 32, 1, dtype=torch.uint8)
    canvas[0, 4:10, 20:29] = 1
    turned = flip_images(canvas, torch.tensor([flips]))[0, :, :, 0]
    left, top, right, bottom = flip_boxes(torch.tensor([[20.0, 4.0, 29.0, 10.0]]), flips, 32)[0].int().tolist()
    assert turned[top:bottom, left:right].all()
    assert turned.sum() == (bottom - top) * (right - left) == 54


@dataclass(frozen=True)
class Bytes:
    """A content in memory."""

    encoded: bytes
    place: str = "masks/a.png"

    def read(self) -> bytes:
        return self.encoded


def png(values: np.ndarray) -> Bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "png")
    return Bytes(file.getvalue())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (Bytes(b"no image"), "is no mask"),
        (png(np.zeros((4, 6, 3), np.uint8)), "is a picture in colours"),
        (png(np.zeros((6, 4), np.uint8)), "has 4 x 6 pixels and its image 6 x 4"),
        (png(np.full((4, 6), 300, np.uint16)), "holds the number 300"),
    ],
)
def test_a_mask_that_cannot_be_one_is_refused(content: Bytes, said: str) -> None:
    with pytest.raises(DataError, match=f"^masks/a.png {said}"):
        read_mask(content, 6, 4)


def test_255_is_no_class_unless_there_are_256() -> None:
    mask = np.full((8, 8), 255, np.uint8)
    where = place(8, 4, spec_of("pad", size=8))
    numbers = learnable(mask_on_canvas(mask[:4], where, 8), where, 255)
    assert (numbers == IGNORED).all()
    numbers = learnable(mask_on_canvas(mask[:4], where, 8), where, 256)
    assert [(numbers == 255).sum(), (numbers == IGNORED).sum()] == [32, 32]


def unpacked(outline: dict[str, list[int]]) -> np.ndarray:
    """What COCO's run lengths say, by their definition."""
    height, width = outline["size"]
    values = [index % 2 for index, count in enumerate(outline["counts"]) for _ in range(count)]
    return np.array(values, bool).reshape(width, height).T


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 9), st.integers(0, 5), st.integers(0, 5))
def test_run_lengths_say_which_pixels_are_inside(seed: int, rows: int, columns: int, x: int, y: int) -> None:
    part = np.random.default_rng(seed).random((rows, columns)) < 0.6
    part[-1, -1] = True
    whole = np.zeros((y + rows, x + columns), bool)
    whole[y:, x:] = part
    outline = run_lengths(part, x, y, *whole.shape[::-1])
    assert np.array_equal(unpacked(outline), whole)
    assert all(outline["counts"][1:])


def test_patches_are_told_apart_and_brought_to_the_image() -> None:
    spec = spec_of("pad", size=64)
    where = place(128, 64, spec)
    classes = np.zeros((64, 64), np.uint8)
    classes[20:30, 4:12], classes[20:30, 40:60], classes[2:10, 2:12], classes[40, 40] = 1, 1, 2, 2
    found = list(regions(classes, np.full((64, 64), 0.75, np.float32), [0], 128, 64, where))
    assert [(one.number, one.box, one.area) for one in found] == [(1, (8, 8, 16, 20), 320), (1, (80, 8, 40, 20), 800)]
    assert all(unpacked(one.outline).sum() == one.area for one in found)
    assert {one.probability for one in found} == {0.75}


def test_mosaics_are_seeded_and_their_boxes_hold_their_masks() -> None:
    first, again, other = (draw_mosaic(["disc", "star"], seed, bodies=4) for seed in (3, 3, 4))
    assert np.array_equal(first.pixels, again.pixels) and first.boxes == again.boxes
    assert not np.array_equal(first.pixels, other.pixels)
    inside = np.zeros_like(first.mask)
    for kind, x, y, width, height in first.boxes:
        part = first.mask[y : y + height, x : x + width]
        assert set(np.unique(part)) <= {0, 1 + ["disc", "star"].index(kind)}
        assert part.any(axis=0)[[0, -1]].all() and part.any(axis=1)[[0, -1]].all()
        inside[y : y + height, x : x + width] = 1
    assert first.boxes and not first.mask[inside == 0].any()
