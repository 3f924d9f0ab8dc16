"""Folders of classes, however they are named, and how they are split."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from imagine_lib.data import ImageSet, open_dataset
from imagine_lib.errors import DataError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

ODD_NAMES = ["with space", "with#hash", "a,b", "Ångström ☂", "dots..inside", "100%", "[1]"]


def fill(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for index in range(count):
        Image.new("L", (8, 8), index).save(folder / f"{index}.png")


def test_classes_are_sorted_and_counted(plankton: Path) -> None:
    data = open_dataset(plankton)
    assert data.classes == ["synthetic-bell", "synthetic-comb", "synthetic-spiral"]
    assert data.counts == dict.fromkeys(data.classes, 15)
    assert [item.name for item in data.items] == sorted(item.name for item in data.items)


def test_odd_class_names_are_kept(tmp_path: Path) -> None:
    for name in ODD_NAMES:
        fill(tmp_path / name, 5)
    data = open_dataset(tmp_path)
    assert data.classes == sorted(ODD_NAMES)
    split = data.split()
    assert set(split.test.classes) == set(ODD_NAMES)


def test_an_empty_class_is_left_out_with_a_warning(tmp_path: Path) -> None:
    fill(tmp_path / "full", 3)
    (tmp_path / "empty one").mkdir()
    with pytest.warns(UserWarning, match=r"^Class 'empty one' holds no images and is left out\.$"):
        data = open_dataset(tmp_path)
    assert data.classes == ["full"]


def test_hidden_folders_are_no_classes(tmp_path: Path) -> None:
    fill(tmp_path / "a", 1)
    fill(tmp_path / ".ipynb_checkpoints", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_dataset(tmp_path).classes == ["a"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder, "does not exist."),
        (
            lambda folder: (folder.mkdir(), folder)[1],
            "holds no class folders with images: make one folder for each class.",
        ),
        (
            lambda folder: (folder.write_text("x"), folder)[1],
            "is a file: give the folder that holds one folder for each class.",
        ),
    ],
)
def test_what_is_no_dataset_says_so(tmp_path: Path, make: object, sentence: str) -> None:
    path = make(tmp_path / "data")  # type: ignore[operator]
    with pytest.raises(DataError) as error:
        open_dataset(path)
    assert str(error.value) == f"{path} {sentence}"


def test_one_class_is_not_enough(tmp_path: Path) -> None:
    fill(tmp_path / "only", 9)
    with pytest.raises(DataError, match=r"needs at least two classes to learn from; there is only 'only'\.$"):
        open_dataset(tmp_path).split()


def test_too_few_images_name_the_class(tmp_path: Path) -> None:
    fill(tmp_path / "many", 9)
    fill(tmp_path / "few", 2)
    with pytest.raises(DataError, match=r"^Class 'few' of .* \(2 images\) leaves nothing to test with"):
        open_dataset(tmp_path).split()


def test_a_split_is_seeded_stratified_and_complete(plankton: Path) -> None:
    data = open_dataset(plankton)
    split, again, other = data.split(seed=3), data.split(seed=3), data.split(seed=4)
    assert split.sha256 == again.sha256 != other.sha256
    names = [{item.name for item in part.items} for part in (split.train, split.val, split.test)]
    assert sum(map(len, names)) == len(data) == len(set().union(*names))
    assert all(set(part.counts.values()) <= {10, 11, 1, 2, 3} for part in (split.train, split.val, split.test))
    assert split.rule == "by image, seed 3"


def test_groups_are_never_split(plankton: Path) -> None:
    split = open_dataset(plankton, group=r"(S\d+)_").split(fractions=(0.6, 0.2, 0.2))
    groups = [{item.group for item in part.items} for part in (split.train, split.val, split.test)]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
    assert all(groups)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("(S", "is not a regular expression"),
        (r"S\d+", "needs exactly one pair of parentheses"),
        (r"(cruise)", "finds no group in"),
    ],
)
def test_a_group_rule_that_cannot_be_used_says_why(plankton: Path, rule: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        open_dataset(plankton, group=rule)


def test_shares_must_add_up(plankton: Path) -> None:
    with pytest.raises(UsageError, match=r"add up to 1; these add up to 1\.1"):
        open_dataset(plankton).split(fractions=(0.7, 0.2, 0.2))


def test_a_table_has_a_row_an_image(plankton: Path) -> None:
    data: ImageSet = open_dataset(plankton, group=r"(S\d+)_")
    table = data.to_dataframe()
    assert list(table.columns) == ["image", "label", "group"]
    assert len(table) == 45
    assert table["group"].nunique() == 5
