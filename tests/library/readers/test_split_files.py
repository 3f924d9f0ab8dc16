"""The planktonclas layout and its traps: each is read right, or refused in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imagine_lib.errors import DataError
from tests.library.readers.making import draw, labels, read, split_files, write

if TYPE_CHECKING:
    from pathlib import Path

LISTS = "dataset_files"


def made(root: Path, **lists: str) -> Path:
    """Write lists, and draw every image that the standard set has."""
    split_files(root)
    for stem, text in lists.items():
        write(root / LISTS / f"{stem}.txt", text)
    return root


@pytest.mark.parametrize("below", ["", "data/"])
def test_the_layout_is_read(below: str, tmp_path: Path) -> None:
    split_files(tmp_path / below if below else tmp_path)
    found = read(tmp_path)
    folder = f"{below}images"
    assert labels(found) == {
        f"{folder}/a.png": "Tripos",
        f"{folder}/b.png": "Noctiluca",
        f"{folder}/c.png": "Tripos",
        f"{folder}/d.png": "Noctiluca",
    }
    assert found.taxa == {"Tripos": 494057, "Noctiluca": 109921}
    assert found.classes_declared == ("Noctiluca", "Tripos")
    assert found.remarks == ()


def test_the_lists_may_lie_beside_the_images(tmp_path: Path) -> None:
    draw(tmp_path / "sub/a.png")
    write(tmp_path / "classes.txt", "x\n")
    write(tmp_path / "train.txt", "sub/a.png 0\n")
    assert labels(read(tmp_path)) == {"sub/a.png": "x"}


@pytest.mark.parametrize(
    "name", ["my image.png", "a, b.png", "two  spaces.png", "one#two.png", "50% 3.png", "x;y.png"]
)
def test_odd_paths_are_read(name: str, tmp_path: Path) -> None:
    draw(tmp_path / "images" / name)
    found = read(made(tmp_path, train=f"{name} 1\n", val="", test=""))
    assert labels(found) == {f"images/{name}": "Noctiluca"}


def test_backslashes_of_windows_are_read(tmp_path: Path) -> None:
    draw(tmp_path / "images/sub/x.png")
    found = read(made(tmp_path, train="sub\\x.png 1\r\n", val="", test=""))
    assert labels(found) == {"images/sub/x.png": "Noctiluca"}


@pytest.mark.parametrize("between", [" ", "\t", "   ", ",", ", ", ";"])
def test_what_parts_path_and_number_does_not_matter(between: str, tmp_path: Path) -> None:
    assert labels(read(made(tmp_path, train=f"a.png{between}1", val="", test=""))) == {"images/a.png": "Noctiluca"}


def test_one_line_is_enough(tmp_path: Path) -> None:
    assert len(read(made(tmp_path, train="a.png 0", val="", test=""))) == 1


def test_a_single_class_is_read(tmp_path: Path) -> None:
    found = read(made(tmp_path, classes="Tripos", train="a.png 0\n", val="", test=""))
    assert found.classes == ["Tripos"]


def test_an_unlabelled_test_list_is_read(tmp_path: Path) -> None:
    draw(tmp_path / "images/photo 12")
    found = read(made(tmp_path, test="d.png\nphoto 12\n"))
    assert [(item.name, item.label, item.part) for item in found.items[-2:]] == [
        ("images/d.png", None, "test"),
        ("images/photo 12", None, "test"),
    ]
    assert found.remarks == (f"2 images are named without a label ({tmp_path}; for example 'images/d.png').",)


def test_class_names_keep_hashes_spaces_and_accents(tmp_path: Path) -> None:
    names = ["Tripos #2", "Ångström, sp.", "#odd"]
    found = read(made(tmp_path, classes="\n".join(names), train="a.png 0\nb.png 1\nc.png 2\n", val="", test=""))
    assert [item.label for item in found.items] == names


def test_latin_1_and_marks_are_read(tmp_path: Path) -> None:
    root = made(tmp_path, train="a.png 0", val="", test="")
    for encoding in ("latin-1", "utf-8-sig", "utf-16"):
        write(root / LISTS / "classes.txt", "Ångström\r\nb\r\n", encoding)
        assert read(root).classes == ["Ångström"]


def test_a_class_without_images_is_told(tmp_path: Path) -> None:
    found = read(made(tmp_path, classes="Tripos\nNoctiluca\nNobody\n"))
    assert found.classes == ["Noctiluca", "Tripos"]
    assert "Class 'Nobody' has no images and is left out." in found.remarks


@pytest.mark.parametrize(
    ("number", "classes", "known"),
    [
        (2, "a\nb", "has the numbers 0 to 1"),
        (-1, "a\nb", "has the numbers 0 to 1"),
        (1, "a", "has only the number 0"),
    ],
)
def test_a_number_without_a_class_is_refused(number: int, classes: str, known: str, tmp_path: Path) -> None:
    root = made(tmp_path, classes=classes, train=f"a.png 0\nb.png {number}\n")
    with pytest.raises(DataError) as error:
        read(root)
    place = f"{root}/{LISTS}/train.txt"
    assert str(error.value) == f"Line 2 of {place} says class {number}, but classes.txt {known}: correct one of them."


def test_an_empty_line_among_the_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"^Line 2 of .*classes\.txt is empty: remove it, for a class's number is that"
    ):
        read(made(tmp_path, classes="a\n\nb\n"))


def test_a_class_that_stands_twice_is_one_class(tmp_path: Path) -> None:
    found = read(made(tmp_path, classes="Tripos\nTripos\n"))
    assert found.classes == ["Tripos"]
    assert "Class 'Tripos' stands more than once in classes.txt: its numbers mean the same." in found.remarks


def test_a_missing_image_stays_in_the_set(tmp_path: Path) -> None:
    found = read(made(tmp_path, train="a.png 0\ngone.png 1\n"))
    gone = next(item for item in found.items if item.name == "images/gone.png")
    assert gone.label == "Noctiluca"
    assert found.remarks == (f"1 image is named, but not there ({tmp_path}; for example 'images/gone.png').",)
    with pytest.raises(DataError, match=r"gone\.png cannot be read: no such file or directory\.$"):
        gone.content.read()


def test_a_set_opened_at_the_wrong_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"^None of the 4 images that .*dataset_files names is there, .*open the folder"
    ):
        read(split_files(tmp_path) / LISTS)


def test_an_image_in_two_parts_stays_in_training(tmp_path: Path) -> None:
    found = read(made(tmp_path, test="a.png 0\nd.png 1\n"))
    assert next(item.part for item in found.items if item.name == "images/a.png") == "train"
    assert "1 image is named more than once: what is said first counts" in found.remarks[-1]


def test_an_image_with_two_labels_has_none(tmp_path: Path) -> None:
    found = read(made(tmp_path, train="a.png 0\na.png 1\na.png 0\nb.png 1\n"))
    assert labels(found)["images/a.png"] is None
    assert "1 image is named with different labels: no label is read" in found.remarks[-1]


@pytest.mark.parametrize(
    ("ids", "taxa"),
    [
        ("494057\n", {"Tripos": 494057}),
        ("\n109921\n", {"Noctiluca": 109921}),
        ("None\n109921\n", {"Noctiluca": 109921}),
        ("1\n2\n3\n", {}),
    ],
)
def test_aphia_ids_that_are_missing_are_told(ids: str, taxa: dict[str, int], tmp_path: Path) -> None:
    found = read(made(tmp_path, aphia_ids=ids))
    assert found.taxa == taxa
    assert any("aphia_ids.txt" in remark for remark in found.remarks)
