"""How often the answer is right at each taxonomic rank: a wrong species may still be the right family."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.errors import DataError
from imagine_lib.evaluation.measures import check_classes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

TREE = ("id", "parent", "rank", "name")


@dataclass(frozen=True)
class Taxonomy:
    """The taxa that each class belongs to."""

    source: str
    ranks: tuple[str, ...]
    """From the widest to the narrowest."""
    taxa: Mapping[str, Mapping[str, str]]
    """Taxon by rank, by class name in small letters."""

    def taxon(self, label: str, rank: str) -> str | None:
        """Return the taxon of a class at a rank; None where the file gives none."""
        return self.taxa.get(_key(label), {}).get(rank)

    def missing(self, labels: Sequence[str]) -> list[str]:
        """Return the classes that the file does not have."""
        return [label for label in labels if _key(label) not in self.taxa]


@dataclass(frozen=True)
class RankAccuracy:
    """Right answers at one rank."""

    rank: str
    accuracy: float | None
    """Share of the images whose true class has a taxon at this rank; None where none has."""
    images: int
    left_out: int
    """Images whose true class has no taxon at this rank."""


@dataclass(frozen=True)
class TaxonomicAccuracy:
    """Right answers at each rank, the widest first."""

    ranks: tuple[RankAccuracy, ...]
    missing: tuple[str, ...]
    """Classes without an entry in the taxonomy."""
    missing_images: int
    """Images of these classes."""
    source: str

    @property
    def remark(self) -> str | None:
        """Which classes the file does not have, in one sentence; None where it has all."""
        if not self.missing:
            return None
        names = ", ".join(self.missing[:5]) + (", ..." if len(self.missing) > 5 else "")
        return (
            f"{self.source} has no entry for {len(self.missing)} classes with {self.missing_images} test images "
            f"({names}): they are left out of the ranks."
        )


def read_taxonomy(path: Path) -> Taxonomy:
    """Read a table of taxa.

    Two forms are understood, with commas, semicolons or tabs, in UTF-8 or Latin-1. Either the first column holds the
    class names and each other column a rank, the widest first (``label,phylum,class,order,family,genus,species``; the
    first may be called ``class`` too); or the columns are ``id``, ``parent``, ``rank`` and ``name``, one row a taxon,
    and classes are found by name.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Taxonomy

    Raises
    ------
    DataError
        The file cannot be read, has no rank, names a class or id twice, or its parents are missing or go in a circle.
    """
    rows = _read_rows(path)
    head = [cell.strip().lower() for cell in rows[0]]
    if set(TREE) <= set(head):
        return _from_tree(path, [dict(zip(head, row, strict=False)) for row in rows[1:]])
    return _from_columns(path, head, rows[1:])


def measure_ranks(
    truth: NDArray[np.integer], answers: NDArray[np.integer], labels: Sequence[str], taxonomy: Taxonomy
) -> TaxonomicAccuracy:
    """Measure the share of right answers at each rank.

    An image counts at a rank if its true class has a taxon there. An answer whose class has none there is wrong.

    Parameters
    ----------
    truth, answers
        Shape (images,): numbers of classes.
    labels
        The classes, by number.
    taxonomy
        From :func:`read_taxonomy`.

    Returns
    -------
    TaxonomicAccuracy

    Raises
    ------
    DataError, UsageError
        There is no image, or a number is no class.
    """
    check_classes(truth, len(labels), "true classes")
    check_classes(answers, len(labels), "answers")
    ranks = []
    for rank in taxonomy.ranks:
        taxa = [taxonomy.taxon(label, rank) for label in labels]
        numbers = {name: number for number, name in enumerate(sorted({name for name in taxa if name}))}
        taxon = np.array([-1 if name is None else numbers[name] for name in taxa])
        counted = taxon[truth] >= 0
        right = (taxon[answers] == taxon[truth])[counted]
        share = float(right.mean()) if len(right) else None
        ranks.append(RankAccuracy(rank, share, int(counted.sum()), int((~counted).sum())))
    missing = taxonomy.missing(labels)
    absent = np.isin(truth, [number for number, label in enumerate(labels) if label in missing])
    return TaxonomicAccuracy(tuple(ranks), tuple(missing), int(absent.sum()), taxonomy.source)


def _read_rows(path: Path) -> list[list[str]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {(error.strerror or 'unknown error').lower()}.") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    lines = text.splitlines()
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    rows = [row for row in csv.reader(lines, delimiter=delimiter) if any(cell.strip() for cell in row)]
    if len(rows) < 2 or len(rows[0]) < 2:
        raise DataError(
            f"{path} is no taxonomy: it needs a line of column names, class and ranks, and a line a class."
        )
    return rows


def _from_columns(path: Path, head: list[str], rows: list[list[str]]) -> Taxonomy:
    ranks = tuple(head[1:])
    taxa: dict[str, dict[str, str]] = {}
    for row in rows:
        key = _key(row[0])
        if key in taxa:
            raise DataError(f"{path} has two lines for class {row[0].strip()!r}: remove one.")
        cells = zip(ranks, row[1:], strict=False)
        taxa[key] = {rank: cell.strip() for rank, cell in cells if cell.strip()}
    return Taxonomy(path.name, ranks, taxa)


def _from_tree(path: Path, rows: list[dict[str, str]]) -> Taxonomy:
    nodes: dict[str, dict[str, str]] = {}
    for row in rows:
        node = {key: row.get(key, "").strip() for key in TREE}
        if node["id"] in nodes:
            raise DataError(f"{path} has two lines for id {node['id']}: remove one.")
        nodes[node["id"]] = node
    lines = {number: _lineage(path, number, nodes) for number in nodes}
    taxa = {
        _key(nodes[number]["name"]): {node["rank"].lower(): node["name"] for node in line if node["rank"]}
        for number, line in lines.items()
    }
    return Taxonomy(path.name, _order_ranks(path, list(lines.values())), taxa)


def _lineage(path: Path, number: str, nodes: Mapping[str, Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return a taxon and what it belongs to, the widest first."""
    line: list[Mapping[str, str]] = []
    while number and number in nodes and len(line) <= len(nodes):
        line.insert(0, nodes[number])
        parent = nodes[number]["parent"]
        if parent and parent not in nodes and parent != "0":
            raise DataError(f"{path} has no line for {parent}, the parent of {nodes[number]['name']!r}: add it.")
        number = "" if parent == number else parent
    if len(line) > len(nodes):
        raise DataError(f"In {path} the parents of {nodes[number]['name']!r} go in a circle: correct one of them.")
    return line


def _order_ranks(path: Path, lines: list[list[Mapping[str, str]]]) -> tuple[str, ...]:
    """Order ranks so that each stands behind those that contain it, where no line names them all."""
    wider: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        ranks = [node["rank"].lower() for node in line if node["rank"]]
        for place, rank in enumerate(ranks):
            wider[rank] |= set(ranks[:place]) - {rank}
    try:
        return tuple(TopologicalSorter({rank: sorted(wider[rank]) for rank in sorted(wider)}).static_order())
    except CycleError as error:
        first, second = error.args[1][:2]
        raise DataError(f"In {path} {first} contains {second} and the other way round: correct the ranks.") from None


def _key(label: str) -> str:
    return " ".join(label.split()).lower()
