"""A CSV or TSV with a row an image: a column with its path, one with its label, and whatever else is known of it."""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from imagine_lib.data.images import SUFFIXES
from imagine_lib.data.imageset import PARTS, ImageItem, ImageSet
from imagine_lib.data.readers.collecting import Collection
from imagine_lib.data.readers.reader import Reader
from imagine_lib.data.readers.text import first_line, header, read_rows
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from imagine_lib.data.readers.tree import Tree

TABLES = (".csv", ".tsv")
SEPARATORS = ("\t", ";", ",")

IMAGE = (
    *("image", "img_file_name", "image_file_name", "file_name", "filename", "image_name", "image_path", "image_file"),
    *("file_path", "filepath", "path", "file", "img", "img_path", "picture", "photo", "name", "image_id", "id"),
)
LABEL = (
    *("label", "class", "class_name", "label_name", "category", "taxon", "species", "scientific_name"),
    *("scientificname", "object_annotation_category", "target", "annotation", "taxa", "genus"),
)
SAMPLE = ("sample", "sample_id", "sample_name")
GROUP = ("group", "group_id")
SPLIT = ("split", "part", "subset", "partition", "set")
"""What columns are called, the likeliest first; case, spaces and hyphens do not count."""

BETWEEN = "\n"
"""Parts the cells of a row that are facts; a table with a line break in a cell is refused."""

NO_LABEL = frozenset({"", "na", "n/a", "nan", "none", "null"})


@dataclass(frozen=True)
class Columns:
    """Where the columns of a table are that mean something here."""

    names: list[str]
    image: int
    label: int
    sample: int | None
    group: int | None
    split: int | None

    @cached_property
    def others(self) -> dict[str, int]:
        """The columns that are facts, by their names as they are written."""
        used = {self.image, self.label, self.split}
        return {name: index for index, name in enumerate(self.names) if name and index not in used}

    @property
    def grouping(self) -> str | None:
        """The name of the column that gives the groups."""
        column = self.sample if self.group is None else self.group
        return None if column is None else self.names[column]


class Facts(Mapping[str, str]):
    """The cells of a row that are facts, as one text until they are asked for: a table may have 300,000 rows."""

    __slots__ = ("_cells", "_columns")

    def __init__(self, columns: tuple[str, ...], cells: str) -> None:
        self._columns, self._cells = columns, cells

    def __getitem__(self, name: str) -> str:
        return self._row()[name]

    def items(self) -> ItemsView[str, str]:
        """Return names and cells; they are parted once for all."""
        return self._row().items()

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def _row(self) -> dict[str, str]:
        return dict(zip(self._columns, self._cells.split(BETWEEN), strict=True)) if self._columns else {}


def _recognises(tree: Tree) -> bool:
    """Of a table that is not to be used as it is, reading says why."""
    return tree.file in _tables(tree) or any(_is_meant(tree.start(table)) for table in _tables(tree))


def _read(tree: Tree) -> ImageSet:
    table = _one_table(tree)
    content, place = tree.read(table), tree.place(table)
    layout = _columns(content)
    if layout is None:
        raise DataError(f"{place} {_why_not(content)}")
    separator, columns = layout
    rows = read_rows(content, separator, place)
    next(rows)
    images = Collection(place)
    reading = _Reading(tree, place, columns, images)
    for row in rows:
        reading.add(row)
    items = images.items()
    return ImageSet(
        tree.location,
        items,
        format=READER.name,
        grouping=columns.grouping,
        classes_declared=tuple(sorted({item.label for item in items if item.label is not None})),
        remarks=(*reading.remarks(), *images.remarks()),
    )


class _Reading:
    """A table while it is read."""

    def __init__(self, tree: Tree, place: str, columns: Columns, images: Collection) -> None:
        self.tree, self.place, self.columns, self.images = tree, place, columns, images
        self.facts: dict[str, Facts] = {}
        self.names = tuple(columns.others)
        self.odd_parts: set[str] = set()
        self.pathless = 0

    def add(self, row: list[str]) -> None:
        """Take one row."""
        path = _cell(row, self.columns.image)
        if not path:
            self.pathless += 1
            return
        name, exists = self._find(path)
        label, part = _cell(row, self.columns.label), _cell(row, self.columns.split).lower()
        sample, group = _cell(row, self.columns.sample), _cell(row, self.columns.group)
        if part and part not in PARTS:
            self.odd_parts.add(part)
        item = ImageItem(
            self.tree.content(name),
            name,
            label=None if label.lower() in NO_LABEL else label,
            sample=sample or None,
            group=(sample if self.columns.group is None else group) or None,
            part=PARTS.get(part),
            facts=self._facts_of(row),
        )
        self.images.add(item, exists)

    def remarks(self) -> list[str]:
        """Return what is odd, one sentence each."""
        found = []
        if self.pathless:
            found.append(f"{self.place} has rows that name no image ({self.pathless:,}): they are left out.")
        if self.odd_parts:
            odd = ", ".join(repr(part) for part in sorted(self.odd_parts)[:5])
            found.append(
                f"{self.place} has parts other than train, val, calibrate and test ({odd}): they are passed over."
            )
        return found

    def _find(self, path: str) -> tuple[str, bool]:
        name, exists = self.tree.find(path, self.place, "", "images")
        if not exists and "." not in name.rpartition("/")[2]:
            for suffix in (*sorted(SUFFIXES), *sorted(map(str.upper, SUFFIXES))):
                longer, there = self.tree.find(path + suffix, self.place, "", "images")
                if there:
                    return longer, True
        return name, exists

    def _facts_of(self, row: list[str]) -> Facts:
        cells = BETWEEN.join(_cell(row, index) for index in self.columns.others.values())
        return self.facts.setdefault(cells, Facts(self.names, cells))


def _tables(tree: Tree) -> list[str]:
    return [name for name in tree.files(*TABLES) if "/" not in name]


def _one_table(tree: Tree) -> str:
    tables = _tables(tree)
    if not tables:
        raise DataError(f"{tree.location} holds no table: give a .csv or .tsv file, or the folder that holds one.")
    meant = [table for table in tables if _is_meant(tree.start(table))]
    tables = meant or tables
    if len(tables) > 1:
        names = ", ".join(tables[:5])
        raise DataError(
            f"{tree.root} holds {len(tables)} tables ({names}): give the path of the one with the labels, or "
            "format='folders' where each class has a folder."
        )
    return tables[0]


def _columns(content: bytes) -> tuple[str, Columns] | None:
    """Find the separator with which a table has an image and a label column, and where its columns are."""
    for separator in SEPARATORS:
        written = header(content, separator)
        names = [_plain(name) for name in written]
        image, label = _where(names, IMAGE), _where(names, LABEL)
        if image is not None and label is not None and not _are_points(names):
            rest = (_where(names, known) for known in (SAMPLE, GROUP, SPLIT))
            return separator, Columns(written, image, label, *rest)
    return None


def _is_meant(content: bytes) -> bool:
    """Tell whether a table is one of images and labels, or of points."""
    headers = (header(content, separator) for separator in SEPARATORS)
    return _columns(content) is not None or any(_are_points([_plain(name) for name in names]) for names in headers)


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.lower())


def _where(names: list[str], known: tuple[str, ...]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def _are_points(names: list[str]) -> bool:
    return {"name", "row", "column"} <= set(names)


def _why_not(content: bytes) -> str:
    names = max((header(content, separator) for separator in SEPARATORS), key=len)
    if _are_points([_plain(name) for name in names]):
        return (
            "holds points (CoralNet), which cannot be cut out of their images yet: give cut images and a label each."
        )
    columns = ", ".join(repr(name) for name in names[:12]) if first_line(content).strip() else "nothing"
    return f"has no columns of images and labels, but {columns}: name them 'image' and 'label' in its first line."


def _cell(row: list[str], index: int | None) -> str:
    return row[index] if index is not None and index < len(row) else ""


READER = Reader("table", "a CSV or TSV with an image and a label column", _recognises, _read)
