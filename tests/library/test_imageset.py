"""Folders of classes, however they are named."""

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
            "holds no class folders with images: make one folder for each class, or give format='images' where there are no "
            "labels.",
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


def test_a_table_has_a_row_an_image(plankton: Path) -> None:
    data: ImageSet = open_dataset(plankton, group=r"(S\d+)_")
    table = data.to_dataframe()
    assert list(table.columns) == ["image", "label", "sample", "group", "part"]
    assert len(table) == 45
    assert table["group"].nunique() == 5


@pytest.mark.parametrize("below", ["", "/labels.csv"])
def test_messages_name_the_path_that_the_user_gave(
    below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "copy", 1)
    (tmp_path / "copy" / "labels.csv").write_text("image,label\n0.png,a\ngone.png,b\n")
    monkeypatch.setattr("imagine_lib.data.opening.stage", lambda path: tmp_path / f"copy{below}")
    named = f"nextcloud:/mine{below}"
    with pytest.warns(UserWarning, match=r"not there \(nextcloud:/mine/labels\.csv; for example 'gone\.png'\)"):
        data = open_dataset(named)
    assert data.source == named
    assert str(tmp_path) not in "".join(data.remarks)
    (tmp_path / "copy" / "labels.csv").write_text("image,label\n../0.png,a\n")
    with pytest.raises(DataError, match=r"^nextcloud:/mine/labels\.csv names '\.\./0\.png', which leads out"):
        open_dataset(named)
