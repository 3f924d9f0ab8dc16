"""``classes.txt`` with ``train.txt``, ``val.txt`` and ``test.txt``: the layout of planktonclas.

A line of ``classes.txt`` is a class; its number is that of its line, from 0. A line of the others is ``path number``.
The path is relative to the folder ``images``, or to the text files, and may hold spaces, commas and ``#``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagine_lib.data.imageset import PARTS, ImageItem, ImageSet
from imagine_lib.data.readers.collecting import Collection
from imagine_lib.data.readers.reader import Reader
from imagine_lib.data.readers.text import counted, read_lines
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from imagine_lib.data.imageset import Part
    from imagine_lib.data.readers.tree import Tree

FOLDERS = ("", "dataset_files/", "data/dataset_files/")
"""Where the text files may lie, below the set's folder."""

LISTS = {f"{word}.txt": PARTS[word] for word in ("train", "val", "test")}

LABELLED = re.compile(r"(?P<path>.*\S)(?:\s+|[,;])(?P<number>-?\d{1,9})")


def _recognises(tree: Tree) -> bool:
    return tree.file is None and _folder(tree) is not None


def _read(tree: Tree) -> ImageSet:
    folder = _folder(tree)
    if tree.file is not None or folder is None:
        raise DataError(f"{tree.location} holds no classes.txt with a train.txt beside it: open their folder.")
    lists = _Lists(tree, folder, _classes(tree, folder))
    images = Collection(str(tree.root))
    for file, part in LISTS.items():
        if folder + file in tree.names:
            lists.read(file, part, images)
    items = images.items()
    labels = {item.label for item in items}
    declared = tuple(sorted(set(lists.classes)))
    empty = (f"Class {name!r} has no images and is left out." for name in declared if name not in labels)
    taxa, without = _taxa(tree, folder, lists.classes)
    return ImageSet(
        str(tree.root),
        items,
        format=READER.name,
        classes_declared=declared,
        taxa=taxa,
        remarks=(*_doubled(lists.classes), *empty, *without, *images.remarks()),
    )


@dataclass(frozen=True)
class _Lists:
    """The text files beside one ``classes.txt``."""

    tree: Tree
    folder: str
    classes: list[str]

    @property
    def bases(self) -> tuple[str, ...]:
        """What a path may be relative to."""
        return (f"{self.folder.removesuffix('dataset_files/')}images", f"{self.folder}images", self.folder)

    def read(self, file: str, part: Part, images: Collection) -> None:
        """Read one list."""
        place = self.tree.place(self.folder + file)
        for number, line in enumerate(read_lines(self.tree, self.folder + file), start=1):
            if line:
                name, exists, label = self._entry(f"Line {number} of {place}", line)
                images.add(ImageItem(self.tree.content(name), name, label=label, part=part), exists)

    def _entry(self, place: str, line: str) -> tuple[str, bool, str | None]:
        """Return the image that a line names, whether it is there, and its label."""
        labelled = LABELLED.fullmatch(line)
        if labelled is None:
            return *self.tree.find(line, place, *self.bases), None
        path = labelled["path"]
        name, exists = self.tree.find(path, place, *self.bases)
        if not exists and path[-1] in ",;":
            name, exists = self.tree.find(path[:-1].rstrip(), place, *self.bases)
        if not exists:
            whole, is_path = self.tree.find(line, place, *self.bases)
            if is_path:
                return whole, True, None
        return name, exists, self._label(place, int(labelled["number"]))

    def _label(self, place: str, number: int) -> str:
        if not 0 <= number < len(self.classes):
            last = len(self.classes) - 1
            known = f"has the numbers 0 to {last}" if last else "has only the number 0"
            raise DataError(f"{place} says class {number}, but classes.txt {known}: correct one of them.")
        return self.classes[number]


def _folder(tree: Tree) -> str | None:
    return next((way for way in FOLDERS if {f"{way}classes.txt", f"{way}train.txt"} <= {*tree.names}), None)


def _classes(tree: Tree, folder: str) -> list[str]:
    place = tree.place(f"{folder}classes.txt")
    classes = read_lines(tree, f"{folder}classes.txt")
    if not classes:
        raise DataError(f"{place} is empty: write one class a line.")
    if "" in classes:
        raise DataError(
            f"Line {classes.index('') + 1} of {place} is empty: remove it, for a class's number is that of its line."
        )
    return classes


def _doubled(classes: list[str]) -> list[str]:
    twice = sorted(name for name in set(classes) if classes.count(name) > 1)
    return [f"Class {name!r} stands more than once in classes.txt: its numbers mean the same." for name in twice]


def _taxa(tree: Tree, folder: str, classes: list[str]) -> tuple[dict[str, int], list[str]]:
    """Return the AphiaID of each class, and a remark where some have none."""
    file = f"{folder}aphia_ids.txt"
    if file not in tree.names:
        return {}, []
    lines = read_lines(tree, file)
    if len(lines) > len(classes):
        return {}, [
            f"{tree.place(file)} has {counted(len(lines), 'line')} for {len(classes)} classes: it is left out."
        ]
    taxa = {name: int(line) for name, line in zip(classes, lines, strict=False) if re.fullmatch(r"[0-9]{1,9}", line)}
    without = len(set(classes)) - len(taxa)
    return taxa, [f"{tree.place(file)} has no AphiaID for {counted(without, 'class', 'classes')}."] if without else []


READER = Reader("split-files", "classes.txt with train.txt, val.txt and test.txt", _recognises, _read)
