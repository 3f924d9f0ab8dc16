"""EcoTaxa's tables beside their images, as they are imported and exported: in folders or in a zip.

The first line names the columns, the second says ``[t]`` or ``[f]`` of each (exports have no such line). Only what an
expert validated is a label. An object with several images counts once, with the image of the lowest ``img_rank``.
"""

from __future__ import annotations

import math
import re
from collections import ChainMap, Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagine_lib.data.imageset import ImageItem, ImageSet
from imagine_lib.data.readers.collecting import Collection
from imagine_lib.data.readers.ecotaxa_volumes import VOLUME_COLUMNS, sample_of
from imagine_lib.data.readers.folder_tree import FolderTree
from imagine_lib.data.readers.reader import Reader
from imagine_lib.data.readers.text import counted, header, read_rows
from imagine_lib.data.readers.zip_tree import ZipTree
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imagine_lib.data.imageset import Sample
    from imagine_lib.data.readers.tree import Tree

IMAGE, OBJECT, SAMPLE = "img_file_name", "object_id", "sample_id"

OBJECT_FACTS = {
    "object_date": "date",
    "object_time": "time",
    "object_lat": "latitude",
    "object_lon": "longitude",
    "object_depth_min": "depth_min",
    "object_depth_max": "depth_max",
}
"""Columns of an object that are facts, and what they are called as such."""

SHARED_FACTS = ("sample_", "acq_", "process_")
"""What the names of the columns begin with that many objects share."""

VALIDATED = "validated"
STATES = {"predicted": "predicted", "dubious": "dubious", "": "without a state"}

KIND = re.compile(r"\[[a-z]\]")


@dataclass(frozen=True)
class _Row:
    """An object's image."""

    item: ImageItem
    exists: bool
    rank: float
    status: str


def _recognises(tree: Tree) -> bool:
    return any(_is_ecotaxa(part, name) for part in _parts(tree) for name in part.files(".tsv")[:20])


def _read(tree: Tree) -> ImageSet:
    reading = _Reading()
    for part in _parts(tree):
        for name in part.files(".tsv"):
            if _is_ecotaxa(part, name):
                reading.read_table(part, name, "" if part is tree else f"{part.root.name}/")
    if not reading.tables:
        raise DataError(f"{tree.location} holds no EcoTaxa table: one has the columns {OBJECT} and {IMAGE}.")
    images = Collection(tree.location)
    for row in reading.kept():
        images.add(row.item, row.exists)
    items = images.items()
    samples, odd = reading.samples()
    return ImageSet(
        tree.location,
        items,
        format=READER.name,
        grouping=SAMPLE if any(item.group for item in items) else None,
        classes_declared=tuple(sorted({item.label for item in items if item.label is not None})),
        samples=samples,
        remarks=(*reading.remarks(), *odd, *images.remarks(unlabelled=False)),
    )


class _Reading:
    """The tables of one set."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, ...], _Row] = {}
        self.tables = 0
        self.more_images = 0
        self.without_image = 0
        self.sharing = 0
        self.states: Counter[str] = Counter()
        self.volumes: dict[str, set[tuple[str, ...]]] = {}
        self._common: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[str, str]] = {}
        self._facts: dict[tuple[int, tuple[str, ...]], Mapping[str, str]] = {}

    def read_table(self, tree: Tree, table: str, prefix: str) -> None:
        """Take the rows of one table; names get the prefix."""
        self.tables += 1
        rows = read_rows(tree.read(table), "\t", tree.place(table))
        names = [name.lower() for name in next(rows)]
        shared = tuple(name for name in names if name.startswith(SHARED_FACTS))
        for number, cells in enumerate(rows):
            if number == 0 and _is_line_of_kinds(cells):
                continue
            row = dict(zip(names, cells, strict=False))
            if not row.get(IMAGE):
                self.without_image += 1
                continue
            self._take(self._row(tree, table, prefix, row, shared), row, f"{prefix}{table}:{number}")

    def kept(self) -> list[_Row]:
        """Return the rows that are read: of several objects with one image file the first, and who disagrees."""
        first: dict[str, _Row] = {}
        others = []
        for row in self.rows.values():
            before = first.setdefault(row.item.name, row)
            if before is not row:
                self.sharing += 1
                others += [row] * (row.item.label != before.item.label)
        self.states.update(row.status for row in first.values())
        return [*first.values(), *others]

    def samples(self) -> tuple[dict[str, Sample], list[str]]:
        """Return the water of each sample where it is known, and remarks on those where it is not clear."""
        found, remarks = {}, []
        for name, rows in sorted(self.volumes.items()):
            sample, remark = sample_of(name, [dict(zip(VOLUME_COLUMNS, row, strict=True)) for row in sorted(rows)])
            if sample is not None:
                found[name] = sample
            if remark is not None:
                remarks.append(remark)
        return found, remarks

    def remarks(self) -> list[str]:
        """Return what was left out, one sentence each."""
        found = []
        states: Counter[str] = Counter()
        for status, count in self.states.items():
            if status != VALIDATED:
                states[STATES.get(status, "in another state")] += count
        if states:
            listed = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
            number = counted(states.total(), "image")
            found.append(f"{number} not validated in EcoTaxa ({listed}): read without a label.")
        if self.more_images:
            found.append(f"{counted(self.more_images, 'further image')} of objects that have several: left out.")
        if self.sharing:
            number = counted(self.sharing, "object")
            found.append(f"{number} with the image file of another object: left out, for an image is read once.")
        if self.without_image:
            found.append(f"{counted(self.without_image, 'row')} without an {IMAGE}: left out.")
        return found

    def _row(self, tree: Tree, table: str, prefix: str, row: dict[str, str], shared: tuple[str, ...]) -> _Row:
        name, exists = tree.find(row[IMAGE], tree.place(table), table.rpartition("/")[0])
        status = row.get("object_annotation_status", "").lower()
        category = row.get("object_annotation_category") or row.get("object_annotation_category_id") or None
        sample = row.get(SAMPLE) or None
        item = ImageItem(
            tree.content(name),
            prefix + name,
            label=category if status == VALIDATED else None,
            sample=sample,
            group=sample,
            facts=self._facts_of(row, shared),
        )
        return _Row(item, exists, _rank(row.get("img_rank", "")), status)

    def _take(self, found: _Row, row: dict[str, str], place: str) -> None:
        key = (row.get(SAMPLE, ""), row[OBJECT]) if row.get(OBJECT) else (place,)
        before = self.rows.get(key)
        if before is not None:
            self.more_images += 1
        if before is None or found.rank < before.rank:
            self.rows[key] = found
        if found.item.sample is not None:
            values = tuple(row.get(column, "") for column in VOLUME_COLUMNS)
            self.volumes.setdefault(found.item.sample, set()).add(values)

    def _facts_of(self, row: dict[str, str], shared: tuple[str, ...]) -> Mapping[str, str]:
        """Return the facts of a row; rows that agree share one mapping, and the samples' part of it in any case."""
        common = self._common_to(row, shared)
        of_object = tuple(_plain(name, row.get(name, "")) for name in OBJECT_FACTS)
        key = (id(common), of_object)
        if key not in self._facts:
            known = {fact: text for fact, text in zip(OBJECT_FACTS.values(), of_object, strict=True) if text}
            self._facts[key] = ChainMap(known, common)
        return self._facts[key]

    def _common_to(self, row: dict[str, str], shared: tuple[str, ...]) -> dict[str, str]:
        values = tuple(row.get(name, "") for name in shared)
        found = self._common.get((shared, values))
        if found is None:
            found = self._common[shared, values] = dict(zip(shared, values, strict=True))
        return found


def _parts(tree: Tree) -> list[Tree]:
    """Return the set itself, or the archives in it where it is a folder of archives."""
    archives = [name for name in tree.files(".zip") if "/" not in name]
    if not isinstance(tree, FolderTree) or tree.file is not None or tree.files(".tsv") or not archives:
        return [tree]
    return [ZipTree(tree.root / name) for name in archives]


def _is_ecotaxa(tree: Tree, table: str) -> bool:
    return {IMAGE, OBJECT} <= {name.lower() for name in header(tree.start(table), "\t")}


def _is_line_of_kinds(cells: list[str]) -> bool:
    return all(not cell or KIND.fullmatch(cell.lower()) for cell in cells)


def _rank(text: str) -> float:
    try:
        rank = float(text or 0)
    except ValueError:
        return 0
    return 0 if math.isnan(rank) else rank


def _plain(column: str, value: str) -> str:
    """Write dates and times as ISO 8601 does; EcoTaxa writes ``20140420`` and ``043000``."""
    if column == "object_date" and re.fullmatch(r"\d{8}", value, re.ASCII):
        return f"{value[:4]}-{value[4:6]}-{value[6:]}"
    if column == "object_time" and re.fullmatch(r"\d{6}(\.\d+)?", value, re.ASCII):
        return f"{value[:2]}:{value[2:4]}:{value[4:]}"
    return value


READER = Reader("ecotaxa", "EcoTaxa tables with their images, in folders or a zip", _recognises, _read)
