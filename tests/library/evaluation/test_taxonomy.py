"""A wrong species of the right family is right at the rank of the family."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from imagine_lib.errors import DataError
from imagine_lib.evaluation.taxonomy import measure_ranks, read_taxonomy

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ["Acartia clausi", "Acartia tonsa", "Temora longicornis", "Tripos muelleri", "detritus"]
TABLE = """\
class,phylum,class,genus,species
Acartia clausi,Arthropoda,Copepoda,Acartia,Acartia clausi
ACARTIA  tonsa,Arthropoda,Copepoda,Acartia,Acartia tonsa
Temora longicornis,Arthropoda,Copepoda,Temora,Temora longicornis
Tripos muelleri,Myzozoa,Dinophyceae,,Tripos muelleri
"""
TREE = """\
id;parent;rank;name
1;;Phylum;Arthropoda
2;1;Class;Copepoda
3;2;Genus;Acartia
4;3;Species;Acartia clausi
5;3;Species;Acartia tonsa
6;2;Genus;Temora
7;6;Species;Temora longicornis
8;8;Phylum;Myzozoa
9;8;Class;Dinophyceae
10;9;Species;Tripos muelleri
"""
# Right, wrong species, wrong genus, wrong phylum, right, taken for detritus, detritus.
TRUTH = np.array([0, 1, 0, 2, 3, 3, 4])
ANSWERS = np.array([0, 0, 2, 3, 3, 4, 0])
EXPECTED = {"phylum": (4 / 6, 6, 1), "class": (4 / 6, 6, 1), "genus": (2 / 4, 4, 3), "species": (2 / 6, 6, 1)}


@pytest.fixture
def written(tmp_path: Path):  # type: ignore[no-untyped-def]
    def write(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "taxa.csv"
        path.write_text(text, encoding=encoding)
        return path

    return write


@pytest.mark.parametrize("text", [TABLE, TREE, TABLE.replace(",", "\t"), "\ufeff" + TABLE])
def test_each_rank_counts_what_is_right_there(written, text: str) -> None:  # type: ignore[no-untyped-def]
    found = measure_ranks(TRUTH, ANSWERS, LABELS, read_taxonomy(written(text)))
    assert [rank.rank for rank in found.ranks] == ["phylum", "class", "genus", "species"]
    for rank in found.ranks:
        assert (rank.accuracy, rank.images, rank.left_out) == EXPECTED[rank.rank]


def test_classes_without_an_entry_are_counted_and_said(written) -> None:  # type: ignore[no-untyped-def]
    found = measure_ranks(TRUTH, ANSWERS, LABELS, read_taxonomy(written(TABLE)))
    assert (found.missing, found.missing_images) == (("detritus",), 1)
    assert found.remark == (
        "taxa.csv has no entry for 1 classes with 1 test images (detritus): they are left out of the ranks."
    )
    complete = measure_ranks(TRUTH[:5], ANSWERS[:5], LABELS[:4], read_taxonomy(written(TABLE)))
    assert complete.remark is None


def test_a_rank_that_no_image_has_is_none(written) -> None:  # type: ignore[no-untyped-def]
    found = measure_ranks(np.array([3]), np.array([3]), LABELS, read_taxonomy(written(TABLE)))
    genus = found.ranks[2]
    assert (genus.accuracy, genus.images, genus.left_out) == (None, 0, 1)


def test_ranks_that_no_line_names_together_are_ordered(written) -> None:  # type: ignore[no-untyped-def]
    text = "id,parent,rank,name\n1,,phylum,P\n2,1,class,C\n3,2,genus,G\n4,1,order,O\n5,4,genus,H\n6,2,order,Q\n"
    ranks = read_taxonomy(written(text)).ranks
    assert ranks == ("phylum", "class", "order", "genus")


def test_latin_letters_are_read(written) -> None:  # type: ignore[no-untyped-def]
    taxonomy = read_taxonomy(written("label,genus\nMüllers Alge,Müllera\n", "latin-1"))
    assert taxonomy.taxon("müllers alge", "genus") == "Müllera"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no taxonomy: it needs a line of column names, class and ranks, and a line a class."),
        ("label\na\n", "is no taxonomy: it needs a line of column names, class and ranks, and a line a class."),
        ("label,genus\na,A\nA ,B\n", "has two lines for class 'A': remove one."),
        ("id,parent,rank,name\n1,,genus,A\n1,,genus,B\n", "has two lines for id 1: remove one."),
        ("id,parent,rank,name\n1,7,genus,A\n", "has no line for 7, the parent of 'A': add it."),
        (
            "id,parent,rank,name\n1,2,genus,A\n2,1,family,B\n",
            "the parents of 'B' go in a circle: correct one of them.",
        ),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(written, text: str, message: str) -> None:  # type: ignore[no-untyped-def]
    path = written(text)
    with pytest.raises(DataError) as caught:
        read_taxonomy(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith(message)


def test_ranks_that_contain_each_other_are_refused(written) -> None:  # type: ignore[no-untyped-def]
    text = "id,parent,rank,name\n1,,order,A\n2,1,class,B\n3,,class,C\n4,3,order,D\n"
    with pytest.raises(DataError, match="contains .* and the other way round: correct the ranks."):
        read_taxonomy(written(text))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none.csv cannot be read: no such file or directory."):
        read_taxonomy(tmp_path / "none.csv")
