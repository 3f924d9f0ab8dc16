"""COCO's outlines as masks: polygons, run lengths as lists, and as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from imagine_lib.data.masks import load_masks
from imagine_lib.data.outlines import checked_outline, decode_counts
from imagine_lib.data.preprocessing import make_input_spec, place
from imagine_lib.data.regions import run_lengths
from imagine_lib.data.targets import read_mask
from imagine_lib.doctor import diagnose
from imagine_lib.errors import DataError
from imagine_lib.wire import Task
from tests.library.readers.making import draw, read, write

if TYPE_CHECKING:
    from pathlib import Path

SQUARE = [[1, 1, 4, 1, 4, 3, 1, 3]]


def made(root: Path, *annotations: dict[str, Any], **lists: Any) -> Path:
    """Two images of 8 x 6 pixels; annotations are on the first and are fish unless they say otherwise."""
    for name in ("a.png", "b.png"):
        draw(root / "images" / name)
    sized = {"width": 8, "height": 6}
    content = {
        "images": [{"id": 1, "file_name": "a.png", **sized}, {"id": 2, "file_name": "b.png", **sized}],
        "categories": [{"id": 5, "name": "fish"}, {"id": 9, "name": "crab"}],
        "annotations": [{"image_id": 1, "category_id": 5, "bbox": [1, 1, 3, 2]} | entry for entry in annotations],
    }
    write(root / "annotations.json", json.dumps({**content, **lists}))
    return root


def mask_of(root: Path, index: int = 0) -> np.ndarray:
    mask = read(root, format="coco-masks").items[index].mask
    assert mask is not None
    return read_mask(mask, 8, 6)


def compressed(counts: list[int]) -> str:
    """Write run lengths as pycocotools does (``rleToString`` in ``maskApi.c``)."""
    text = ""
    for index, count in enumerate(counts):
        value = count - (counts[index - 2] if index > 2 else 0)
        more = True
        while more:
            group = value & 0x1F
            value >>= 5
            more = value != (-1 if group & 0x10 else 0)
            text += chr(group + (0x20 if more else 0) + 48)
    return text


def test_classes_are_numbered_after_the_background(tmp_path: Path) -> None:
    root = made(tmp_path, {"segmentation": SQUARE}, {"segmentation": [[5, 0, 8, 0, 8, 2, 5, 2]], "category_id": 9})
    found = read(root, format="coco-masks")
    assert (found.task, found.classes) == (Task.SEGMENTATION, ["background", "crab", "fish"])
    wanted = np.zeros((6, 8), np.uint8)
    wanted[1:3, 1:4], wanted[0:2, 5:8] = 2, 1
    assert np.array_equal(mask_of(root), wanted)
    assert not mask_of(root, 1).any()
    assert found.remarks == ()
    assert {finding.code for finding in diagnose(found).findings} <= {"duplicate", "no-groups"}
    assert read(root).task == Task.DETECTION


@pytest.mark.parametrize("seed", range(5))
def test_run_lengths_are_the_mask_that_they_were_made_of(seed: int, tmp_path: Path) -> None:
    inside = np.random.default_rng(seed).random((6, 8)) < 0.5
    lengths = run_lengths(inside, 0, 0, 8, 6)
    for counts in (lengths["counts"], compressed(lengths["counts"])):
        root = made(tmp_path, {"segmentation": {"size": [6, 8], "counts": counts}, "iscrowd": 1})
        assert np.array_equal(mask_of(root), np.where(inside, 2, 0))


@pytest.mark.parametrize(
    ("text", "counts"),
    [("061M", [0, 6, 1, 3]), ("061K", [0, 6, 1, 1]), ("0610", [0, 6, 1, 6]), ("0PP1", [0, 1024]), ("", [])],
)
def test_known_texts_of_run_lengths(text: str, counts: list[int]) -> None:
    assert decode_counts(text) == counts
    assert compressed(counts) == text


def test_a_polygon_holds_the_pixels_whose_middle_lies_in_it(tmp_path: Path) -> None:
    """Against a test of each pixel's middle by the angles that the corners turn around it."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
        corners = np.column_stack([4 + 5 * np.cos(angles), 3 + 4 * np.sin(angles)]) + rng.normal(0, 0.3, (7, 2))
        found = mask_of(made(tmp_path, {"segmentation": [corners.ravel().tolist()]}))
        for row, column in np.ndindex(6, 8):
            seen = np.arctan2(corners[:, 1] - row - 0.5, corners[:, 0] - column - 0.5)
            turns = np.diff(np.append(seen, seen[0]))
            around = abs(((turns + np.pi) % (2 * np.pi) - np.pi).sum()) > np.pi
            assert bool(found[row, column]) == around


def test_several_polygons_are_one_and_the_later_annotation_lies_above(tmp_path: Path) -> None:
    root = made(tmp_path, {"segmentation": [[0, 0, 2, 0, 2, 6, 0, 6], [6, 0, 8, 0, 8, 6, 6, 6]]})
    assert np.array_equal(mask_of(root)[0], [2, 2, 0, 0, 0, 0, 2, 2])
    root = made(tmp_path, {"segmentation": SQUARE}, {"segmentation": [[2, 0, 8, 0, 8, 6, 2, 6]], "category_id": 9})
    assert np.array_equal(mask_of(root)[1], [0, 2, 1, 1, 1, 1, 1, 1])


@pytest.mark.parametrize(
    "outline",
    [
        None, [], [[]], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5, "6"]], [[1, 2, 3, 4, 5, float("nan")]], [SQUARE], 7, "SQUARE",
        {"size": [8, 6], "counts": [48]}, {"size": [6, 8], "counts": [47]}, {"size": [6, 8], "counts": [50, -2]},
        {"size": [6, 8], "counts": "0P"}, {"size": [6, 8], "counts": "0é"}, {"size": [6, 8]}, {},
    ],
)  # fmt: skip
def test_an_image_with_an_outline_that_cannot_be_drawn_has_no_mask(outline: Any, tmp_path: Path) -> None:
    assert checked_outline(outline, 8, 6) is None
    root = made(tmp_path, {"segmentation": SQUARE}, {"segmentation": outline})
    found = read(root, format="coco-masks")
    assert [item.mask is None for item in found.items] == [True, False]
    what = "mask of an image with an annotation that has no usable outline"
    assert found.remarks == (
        f"{root}/annotations.json has 1 {what}: left out.",
        f"1 image of {root} without a mask.",
    )


@pytest.mark.parametrize(
    "size", [{}, {"width": 0, "height": 6}, {"width": 8.5, "height": 6}, {"width": 10**9, "height": 9}]
)
def test_an_image_without_a_usable_size_has_no_mask(size: dict[str, Any], tmp_path: Path) -> None:
    root = made(tmp_path, {"segmentation": SQUARE}, images=[{"id": 1, "file_name": "a.png", **size}])
    found = read(root, format="coco-masks")
    assert found.items[0].mask is None
    assert "1 mask of an image without a usable width and height: left out." in found.remarks[0]


def test_a_size_that_is_not_the_images_is_told_when_it_is_read(tmp_path: Path) -> None:
    root = made(tmp_path, {"segmentation": SQUARE}, images=[{"id": 1, "file_name": "a.png", "width": 6, "height": 8}])
    items = read(root, format="coco-masks").items
    spec = make_input_spec(16, "pad")
    loaded = load_masks(items, [(8, 6)], [place(8, 6, spec)], 16, 3)
    assert loaded.errors == {
        0: f"the mask of images/a.png in {root}/annotations.json has 6 x 8 pixels and its image 8 x 6: export the mask "
        "again."
    }


def test_more_categories_than_a_mask_has_numbers_are_refused(tmp_path: Path) -> None:
    root = made(tmp_path, categories=[{"id": number, "name": f"c{number}"} for number in range(255)])
    with pytest.raises(DataError, match=r"has 255 categories, but a mask has 254 at most: merge some\.$"):
        read(root, format="coco-masks")
