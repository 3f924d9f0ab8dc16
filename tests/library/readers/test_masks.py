"""Images and masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from imagine_lib.errors import DataError
from imagine_lib.wire import Task
from tests.library.readers.making import draw, masks, read, write

if TYPE_CHECKING:
    from pathlib import Path


def with_values(root: Path, *values: int, kind: type[np.generic] = np.uint8) -> Path:
    masks(root)
    (root / "classes.txt").unlink()
    for stem in ("a", "b"):
        pixels = np.zeros((6, 8), kind)
        pixels.flat[: len(values)] = values
        Image.fromarray(pixels).save(root / f"masks/{stem}.png")
    return root


def test_masks_are_found_by_the_names_of_their_images(tmp_path: Path) -> None:
    found = read(masks(tmp_path))
    assert found.task == Task.SEGMENTATION
    assert found.classes == ["water", "fish", "crab"]
    assert [item.mask is not None and item.mask.place for item in found.items] == [
        str(tmp_path / "masks/a.png"),
        str(tmp_path / "masks/b.png"),
    ]
    assert found.remarks == ()


def test_images_and_masks_without_the_other_are_told(tmp_path: Path) -> None:
    root = masks(tmp_path)
    draw(root / "images/c.png")
    draw(root / "masks/d.png")
    found = read(root)
    assert [item.mask is None for item in found.items] == [False, False, True]
    assert found.remarks == (
        f"1 image in {root}/images without a mask.",
        "1 mask without an image, such as 'masks/d.png': left out.",
    )


def test_names_that_differ_in_their_ending_go_together_as_they_are_written(tmp_path: Path) -> None:
    root = masks(tmp_path)
    for name in ("images/a.PNG", "masks/a.PNG", "masks/b.PNG", "images/b.tif"):
        draw(root / name, 1)
    found = read(root)
    assert [item.mask is not None and item.mask.place for item in found.items] == [
        f"{root}/masks/{name}" for name in ("a.PNG", "a.png", "b.png", "b.PNG")
    ]


def test_masks_and_names_that_are_not_clear_are_told(tmp_path: Path) -> None:
    root = masks(tmp_path)
    draw(root / "images/a.PNG")
    draw(root / "masks/b.tif", 1)
    assert read(root).remarks == (
        "1 mask without an image, such as 'masks/b.tif': left out.",
        "1 mask of several images whose names differ in their ending, such as 'masks/a.png'.",
    )


def test_accents_match_however_they_are_written(tmp_path: Path) -> None:
    root = masks(tmp_path)
    (root / "images/a.png").rename(root / "images/\u00e9.png")
    (root / "masks/a.png").rename(root / "masks/e\u0301.png")
    assert all(item.mask is not None for item in read(root).items)


@pytest.mark.parametrize("text", ["0,water\n2,crab\n", "number;name\n2;crab\n0;water\n", "2\tcrab\n0\twater\n"])
def test_classes_have_the_place_of_their_number(text: str, tmp_path: Path) -> None:
    root = masks(tmp_path)
    write(root / "classes.csv", text)
    assert read(root).classes == ["water", "class 1", "crab"]


@pytest.mark.parametrize(
    "text", ["0,water\n0,fish\n", "0,water\n1,water\n", "0,water\n300,x\n", "0,water\nfish,1\n", ""]
)
def test_numbers_that_are_wrong_are_refused(text: str, tmp_path: Path) -> None:
    root = masks(tmp_path)
    write(root / "classes.csv", text)
    with pytest.raises(DataError, match=r"classes\.csv (names|gives|has)"):
        read(root)


def test_without_names_classes_are_called_by_the_numbers_that_occur(tmp_path: Path) -> None:
    found = read(with_values(tmp_path, 0, 3))
    assert found.classes == ["class 0", "class 1", "class 2", "class 3"]
    assert found.remarks == (f"{tmp_path} names no classes: they are called after the numbers in 2 masks.",)


def test_255_among_small_numbers_is_no_class(tmp_path: Path) -> None:
    found = read(with_values(tmp_path, 1, 255))
    assert found.classes == ["class 0", "class 1"]
    assert found.remarks[-1] == "Number 255 in the masks is read as no class: name it in classes.csv if it is one."


@pytest.mark.parametrize(
    ("values", "kind", "sentence"),
    [
        ([0, 255], np.uint8, "are black and white (0 and 255): write 0 and 1 into them"),
        ([0, 900], np.uint16, "hold numbers up to 900: a class has a number to 255."),
    ],
)
def test_masks_that_are_no_numbers_of_classes_are_refused(
    values: list[int], kind: type[np.generic], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as error:
        read(with_values(tmp_path, *values, kind=kind))
    assert sentence in str(error.value)


def test_coloured_masks_are_refused(tmp_path: Path) -> None:
    root = with_values(tmp_path, 1)
    Image.new("RGB", (8, 6), "red").save(root / "masks/a.png")
    with pytest.raises(DataError, match=r"masks/a\.png is a picture in colours: a mask has the number of a class"):
        read(root)


def test_palette_masks_are_read_by_their_numbers(tmp_path: Path) -> None:
    root = with_values(tmp_path, 1)
    for stem in ("a", "b"):
        image = Image.fromarray(np.full((6, 8), 2, np.uint8)).convert("P")
        image.putpalette([value for colour in range(256) for value in (colour, 0, 0)])
        image.save(root / f"masks/{stem}.png")
    assert read(root).classes == ["class 0", "class 1", "class 2"]
