"""Copies are found; other individuals are not taken for copies."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from imagine_lib.data import duplicates, open_dataset
from imagine_lib.data.duplicates import Duplicates, sets_of
from imagine_lib.data.imageset import ImageItem, ImageSet
from imagine_lib.data.looks import RECORD, Looks, fingerprint
from imagine_lib.data.synthetic import SHAPES, draw_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Memory:
    """An image that lies nowhere."""

    place = "memory"

    def __init__(self, image: Image.Image, **how: object) -> None:
        buffer = io.BytesIO()
        image.save(buffer, **({"format": "PNG"} | how))  # type: ignore[arg-type]
        self.encoded = buffer.getvalue()

    def read(self) -> bytes:
        return self.encoded


def agreement(first: Memory, second: Memory) -> float:
    return duplicates._agreement(duplicates._prepare(first), duplicates._prepare(second))


def as_set(*contents: Memory) -> ImageSet:
    return ImageSet("memory", tuple(ImageItem(content, f"{index}") for index, content in enumerate(contents)))


def near(*contents: Memory) -> list[list[int]]:
    return sets_of(as_set(*contents).duplicates.near)


def grown(image: Image.Image, factor: float) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BILINEAR)


CHANGES: dict[str, Callable[[Image.Image], Memory]] = {
    "jpeg 90": lambda image: Memory(image, format="JPEG", quality=90),
    "jpeg 30": lambda image: Memory(image, format="JPEG", quality=30),
    "shifted": lambda image: Memory(image.crop((1, 1, *image.size))),
    "brighter": lambda image: Memory(image.point(lambda value: round(value * 1.02))),
    "larger": lambda image: Memory(grown(image, 1.02)),
    "in colour": lambda image: Memory(image.convert("RGB"), format="JPEG", quality=90),
}


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_found(change: str) -> None:
    for label in SHAPES:
        image = draw_image(label, seed=1)
        others = [Memory(draw_image(label, seed)) for seed in range(2, 6)]
        assert near(*others, Memory(image), CHANGES[change](image)) == [[4, 5]], label


def test_other_individuals_are_no_copies() -> None:
    assert near(*(Memory(draw_image(label, seed)) for label in SHAPES for seed in range(30))) == []


def test_a_much_larger_copy_is_another_size() -> None:
    image = draw_image("bell", seed=1)
    assert near(Memory(image), Memory(grown(image, 1.08))) == [[0, 1]]
    assert near(Memory(image), Memory(grown(image, 1.2))) == []


def test_the_same_pixels_in_another_encoding_are_exact() -> None:
    image = draw_image("comb", seed=1)
    data = as_set(Memory(image), Memory(image, format="BMP"), Memory(image.convert("RGB")), Memory(image, quality=50))
    assert sets_of(data.duplicates.exact) == [[0, 1, 2, 3]]
    shifted = as_set(Memory(image), Memory(image.rotate(180)))
    assert sets_of(shifted.duplicates.exact) == []


def test_flat_and_unreadable_images_are_like_nothing() -> None:
    flat = [Memory(Image.new("L", (50, 50), value)) for value in (100, 101)]
    broken = [Memory(Image.new("L", (50, 50))) for _ in range(2)]
    for content in broken:
        content.encoded = b"broken"
    data = as_set(*flat, *broken)
    assert sets_of(data.duplicates.near) == [] and not data.looks.table["fingerprint"].any()
    assert sorted(data.looks.errors) == [2, 3]


def test_sixteen_bits_are_compared_too() -> None:
    pixels = np.asarray(draw_image("bell", seed=1)).astype(np.uint16) * 40
    other = np.asarray(draw_image("bell", seed=2)).astype(np.uint16) * 40
    found = near(*(Memory(Image.fromarray(values)) for values in (pixels, pixels + 50, other)))
    assert found == [[0, 1]]


def test_the_search_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks and the sorting by width against a comparison of every pair."""
    rng = np.random.default_rng(0)
    table = np.zeros(300, RECORD)
    base = rng.normal(0, 32, (40, 256))
    table["fingerprint"] = np.clip(
        np.rint(base[rng.integers(40, size=300)] + rng.normal(0, 8, (300, 256))), -127, 127
    )
    table["width"], table["height"] = rng.integers(50, 70, (2, 300))
    monkeypatch.setattr(duplicates, "BLOCK", 32)
    monkeypatch.setattr(duplicates, "NEIGHBOURS", 1000)
    edges = duplicates._candidates(np.arange(300), Looks(table, {}))
    likeness = np.corrcoef(table["fingerprint"].astype(float))
    expected = set()
    for i in range(300):
        for j in range(i + 1, 300):
            sides = [table[key][[i, j]] for key in ("width", "height")]
            if all(max(side) <= 1.1 * min(side) for side in sides) and likeness[i, j] >= duplicates.ALIKE + 1e-3:
                expected.add((i, j))
    found = {(int(i), int(j)) for i, j, value in edges}
    assert len(found) == len(edges) and expected <= found and len(expected) > 100
    assert all(likeness[i, j] >= duplicates.ALIKE - 1e-3 for i, j in found)


def test_each_image_is_compared_with_few() -> None:
    table = np.zeros(200, RECORD)
    table["fingerprint"] = np.random.default_rng(0).integers(-50, 50, 256)
    table["width"] = table["height"] = 50
    edges = duplicates._candidates(np.arange(200), Looks(table, {}))
    assert len(edges) <= 2 * duplicates.NEIGHBOURS * 200


def test_small_steps_do_not_tie_everything_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long drift in which each image is like the next: a set has one that all of it is like."""
    first, last = draw_image("bell", seed=1).resize((96, 96)), draw_image("comb", seed=2).resize((96, 96))
    drift = [Memory(Image.blend(first, last, step / 100)) for step in range(101)]
    sets = near(*drift)
    for members in sets:
        assert max(min(agreement(drift[one], drift[other]) for other in members) for one in members) >= 0.9
    monkeypatch.setattr(duplicates, "RELATED", -1)
    assert max(map(len, near(*drift))) > max(map(len, sets))


def test_agreement_is_one_number_between_minus_one_and_one() -> None:
    image = draw_image("bell", seed=1)
    negative = Memory(image.point(lambda value: 255 - value))
    assert agreement(Memory(image), Memory(image)) == pytest.approx(1)
    assert -1 <= agreement(Memory(image), negative) < 0.5
    assert agreement(Memory(image), Memory(Image.new("L", (40, 40), 9))) == pytest.approx(0, abs=0.2)


def test_a_fingerprint_does_not_depend_on_brightness() -> None:
    pixels = np.asarray(draw_image("bell", seed=1))[..., None]
    one, other = fingerprint(pixels).astype(float), fingerprint((pixels // 2 + 9).astype(np.uint8)).astype(float)
    assert np.corrcoef(one, other)[0, 1] > 0.99
    assert one.std() == pytest.approx(32, rel=0.05)


def test_a_subset_keeps_its_copies() -> None:
    known = Duplicates(np.array([0, 1, 0, 1]), np.array([0, 0, 0, 0]))
    chosen = known.take([3, 1, 2])
    assert chosen.exact.tolist() == [0, 0, 2] and chosen.near.tolist() == [0, 0, 0]


def test_real_individuals_are_not_taken_for_copies(real_images: Path) -> None:
    data = open_dataset(real_images / "phytoplankton_vliz")
    assert sets_of(data.duplicates.near) == []


def test_real_copies_are_found(real_images: Path) -> None:
    """Two series of one individual, seen by eye, and pairs with other brightness."""
    data = open_dataset(real_images / "bering_sea_zooplankton")
    sizes = sorted(map(len, sets_of(data.duplicates.near)))
    assert sizes[-2:] == [46, 47] and 12 <= len(sizes) <= 18 and sizes[-3] < 10
