"""Tables with a row an image, however they are written."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from imagine_lib.errors import DataError
from tests.library.readers.making import draw, labels, read, table, write

if TYPE_CHECKING:
    from pathlib import Path


def with_images(root: Path, *names: str) -> Path:
    for name in names:
        draw(root / name)
    return root


def test_a_table_is_read_from_its_folder_and_by_its_path(tmp_path: Path) -> None:
    table(tmp_path)
    folder, file = read(tmp_path), read(tmp_path / "labels.csv")
    assert labels(folder) == labels(file) == {"a.png": "Tripos", "b.png": "Noctiluca"}
    assert [dict(item.facts) for item in folder.items] == [
        {"sample": "S1", "depth": "10"},
        {"sample": "S2", "depth": ""},
    ]
    assert [(item.sample, item.group) for item in folder.items] == [("S1", "S1"), ("S2", "S2")]
    assert folder.grouping == "sample"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_and_separators(separator: str, encoding: str, tmp_path: Path) -> None:
    with_images(tmp_path, "é a,b.png")
    rows = [["Image", "Class", "Note"], ['"é a,b.png"', "Ångström", '"a ""b"" c"']]
    write(tmp_path / "t.csv", "\r\n".join(separator.join(row) for row in rows), encoding)
    found = read(tmp_path)
    assert labels(found) == {"é a,b.png": "Ångström"}
    assert dict(found.items[0].facts) == {"Note": 'a "b" c'}


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("img_file_name", "object_annotation_category"),
        ("filename", "label_name"),
        ("File Name", "Species"),
        ("PATH", "taxon"),
        ("id", "class"),
    ],
)
def test_columns_have_many_names(image: str, label: str, tmp_path: Path) -> None:
    with_images(tmp_path, "a.png")
    write(tmp_path / "t.csv", f",{image},{label}\n0,a.png,x\n")
    assert labels(read(tmp_path)) == {"a.png": "x"}


def test_a_nameless_first_column_of_a_tsv_is_no_image(tmp_path: Path) -> None:
    with_images(tmp_path, "a.png")
    write(tmp_path / "t.tsv", "\timage\tlabel\n0\ta.png\tx\n")
    assert labels(read(tmp_path)) == {"a.png": "x"}


def test_images_without_a_suffix_and_in_a_folder_are_found(tmp_path: Path) -> None:
    with_images(tmp_path, "images/a.jpg", "images/b.1.png")
    write(tmp_path / "t.csv", "image,label\na,x\nb.1.png,y\n")
    assert labels(read(tmp_path)) == {"images/a.jpg": "x", "images/b.1.png": "y"}


def test_parts_and_groups_are_read(tmp_path: Path) -> None:
    with_images(tmp_path, *(f"{letter}.png" for letter in "abcde"))
    rows = ["image,label,split,sample,group", "a.png,x,Train,S,g1", "b.png,x,validation,S,g1", "c.png,x,test,S,g2"]
    write(tmp_path / "t.csv", "\n".join([*rows, "d.png,x,calibration,S,", "e.png,x,fold7,S,g3"]))
    found = read(tmp_path)
    assert [item.part for item in found.items] == ["train", "select", "test", "calibrate", None]
    assert [item.group for item in found.items] == ["g1", "g1", "g2", None, "g3"]
    assert found.grouping == "group"
    assert any("parts other than train, val, calibrate and test ('fold7')" in remark for remark in found.remarks)


def test_equal_facts_are_kept_once(tmp_path: Path) -> None:
    with_images(tmp_path, "a.png", "b.png", "c.png")
    write(tmp_path / "t.csv", "image,label,cruise\na.png,x,M1\nb.png,y,M1\nc.png,y,M2\n")
    first, second, third = read(tmp_path).items
    assert first.facts is second.facts
    assert third.facts == {"cruise": "M2"}


def test_the_facts_of_a_row_take_little_memory(tmp_path: Path) -> None:
    columns = [f"feature_{number}" for number in range(60)]
    rows = [",".join([f"{row}.png", "x", *(f"{row}.{n:05d}" for n in range(60))]) for row in range(2000)]
    draw(tmp_path / "0.png")
    write(tmp_path / "t.csv", "\n".join([",".join(["image", "label", *columns]), *rows]))
    tracemalloc.start()
    found = read(tmp_path)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / len(found) < 3000
    last = next(item for item in found.items if item.name == "1999.png").facts
    assert last["feature_59"] == "1999.00059" and len(last) == len([*last.items()]) == 60
    assert last.get("feature_60") is None


def test_an_image_without_its_ending_may_have_one_in_capitals(tmp_path: Path) -> None:
    with_images(tmp_path, "a.JPG", "b.png")
    write(tmp_path / "t.csv", "image,label\na,x\nb,y\n")
    assert labels(read(tmp_path)) == {"a.JPG": "x", "b.png": "y"}


def test_holes_are_no_labels(tmp_path: Path) -> None:
    with_images(tmp_path, "a.png", "b.png", "c.png")
    write(tmp_path / "t.csv", "image,label\na.png,x\nb.png,\nc.png,NaN\n,y\n\n")
    found = read(tmp_path)
    assert labels(found) == {"a.png": "x", "b.png": None, "c.png": None}
    place = tmp_path / "t.csv"
    assert found.remarks == (
        f"{place} has rows that name no image (1): they are left out.",
        f"2 images are named without a label ({place}; for example 'b.png').",
    )


def test_short_rows_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    with_images(tmp_path, "a.png")
    write(tmp_path / "t.csv", "image,label,depth\na.png\n")
    assert dict(read(tmp_path).items[0].facts) == {"depth": ""}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "file,weight\na.png,3\n",
            "has no columns of images and labels, but 'file', 'weight': name them 'image' and",
        ),
        ("", "has no columns of images and labels, but nothing: name them 'image' and 'label' in its first line."),
        (
            "Name,Row,Column,Label\na.png,3,4,coral\n",
            "holds points (CoralNet), which cannot be cut out of their images",
        ),
        ("image,label\n", "names no images: write one line an image."),
        ("image,label\nx.png,a\n", "names is there, for example 'x.png': open the folder that holds both"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read(write(tmp_path / "t.csv", text))
    assert sentence in str(error.value)
    assert str(tmp_path / "t.csv") in str(error.value)


def test_a_quote_that_is_not_closed_is_refused(tmp_path: Path) -> None:
    with_images(tmp_path, "a.png")
    write(tmp_path / "t.csv", 'image,label\n"a.png,x\n' + "b.png,y\n" * 20_000)
    with pytest.raises(DataError, match=r"t\.csv cannot be read as a table: look for a quote that is not closed"):
        read(tmp_path)


def test_several_tables_need_a_choice(tmp_path: Path) -> None:
    with_images(tmp_path, "a.png")
    for stem in ("one", "two"):
        write(tmp_path / f"{stem}.csv", "image,label\na.png,x\n")
    write(tmp_path / "notes.csv", "when,who\n1,2\n")
    with pytest.raises(DataError, match=r"holds 2 tables \(one\.csv, two\.csv\): give the path of the one with the"):
        read(tmp_path)
    assert len(read(tmp_path / "two.csv")) == 1


def test_what_lies_between_two_stray_quotes_is_not_lost(tmp_path: Path) -> None:
    with_images(tmp_path, "a.png", "b.png", "c.png")
    write(tmp_path / "t.csv", 'image,note,label\na.png,"5 mm,x\nb.png,ok,y\nc.png,5",z\n')
    with pytest.raises(DataError, match="a line break in a cell, at or before line 4"):
        read(tmp_path)
