"""COCO JSON: images, categories, and annotations with a ``bbox`` (x, y, width, height, in pixels).

Outlines (``segmentation``) are read as their boxes; ``coco_masks`` reads them as masks. Several files, as
``instances_train.json`` and ``instances_val.json``, are one set whose parts are known.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from imagine_lib.data.imageset import PARTS, Box, ImageItem, ImageSet
from imagine_lib.data.readers.collecting import Collection
from imagine_lib.data.readers.reader import Reader
from imagine_lib.data.readers.text import counted
from imagine_lib.errors import DataError
from imagine_lib.wire import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagine_lib.data.imageset import Part
    from imagine_lib.data.readers.tree import Tree

LOOKED_AT = 2**20
"""Bytes at the start of a JSON file in which its kind shows: licences and the like may come first."""


def _recognises(tree: Tree) -> bool:
    if tree.file is not None:
        return any(b'"images"' in tree.start(name, LOOKED_AT) for name in tree.files(".json"))
    return any(_may_be_coco(tree, name) for name in tree.files(".json")[:20])


def _read(tree: Tree) -> ImageSet:
    images = Collection(tree.location)
    declared: set[str] = set()
    remarks: list[str] = []
    for file in open_files(tree):
        outlines = _read_boxes(file, images)
        declared.update(file.categories.values())
        remarks += file.remarks()
        if outlines:
            number = counted(outlines, "outline")
            remarks.append(f"{file.place} has {number}: read as boxes; format='coco-masks' reads them as masks.")
    return ImageSet(
        tree.location,
        images.items(),
        task=Task.DETECTION,
        format=READER.name,
        classes_declared=tuple(sorted(declared)),
        remarks=(*remarks, *images.remarks()),
    )


def open_files(tree: Tree) -> list[CocoFile]:
    """Open the JSON files of a set.

    Raises
    ------
    DataError
        There are none, or one is no COCO.
    """
    files = [name for name in tree.files(".json") if tree.file == name or _may_be_coco(tree, name)]
    if not files:
        raise DataError(f"{tree.location} holds no COCO file: one has 'images', 'annotations', 'categories'.")
    return [CocoFile(tree, name, _part(name) if len(files) > 1 else None) for name in files]


class CocoFile:
    """One JSON file."""

    def __init__(self, tree: Tree, name: str, part: Part | None) -> None:
        self.tree, self.place, self.part = tree, tree.place(name), part
        folder, _, base = name.rpartition("/")
        above = folder.rpartition("/")[0]
        word = re.split(r"[_.]", base)[-2]
        self.bases = (*(f"{way}/{below}".strip("/") for way in (folder, above) for below in ("", "images", word)),)
        self.content = _load(tree, name)
        self.categories = {
            key_of(entry.get("id")): str(entry["name"]).strip()
            for entry in self.entries("categories")
            if isinstance(entry.get("name"), str | int) and str(entry["name"]).strip()
        }
        self.annotated = isinstance(self.content.get("annotations"), list)
        self.odd: Counter[str] = Counter()
        """What is left out, in the singular."""

    def entries(self, key: str) -> list[dict[str, Any]]:
        """Return the entries of one list."""
        listed = self.content.get(key)
        return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []

    def images(self) -> Iterator[tuple[dict[str, Any], ImageItem, bool]]:
        """Yield each image: its entry, the image without what is known of it, and whether it is there."""
        for entry in self.entries("images"):
            path = entry.get("file_name")
            if not isinstance(path, str) or not path.strip():
                self.odd["image without a file_name"] += 1
                continue
            name, exists = self.tree.find(path.strip(), self.place, *self.bases)
            yield entry, ImageItem(self.tree.content(name), name, part=self.part), exists

    def annotations(self) -> Iterator[tuple[dict[str, Any], str, str | None]]:
        """Yield each annotation: its entry, the id of its image, and its class where it is known."""
        for entry in self.entries("annotations"):
            label = self.categories.get(key_of(entry.get("category_id")))
            image = key_of(entry.get("image_id"))
            if not image:
                self.odd["annotation without an image_id"] += 1
                continue
            self.odd["annotation of an unknown category"] += label is None
            yield entry, image, label

    def remarks(self) -> list[str]:
        """Return what is odd, one sentence each."""
        return [f"{self.place} has {counted(n, what, _plural(what))}: left out." for what, n in self.odd.items() if n]


def _read_boxes(file: CocoFile, images: Collection) -> int:
    """Take the images of a file with their boxes; return how many have an outline too."""
    boxes: dict[str, list[Box]] = {}
    doubtful: set[str] = set()
    outlines = 0
    for entry, image, label in file.annotations():
        box = _numbers(entry.get("bbox"))
        if label is not None and box is not None and entry.get("iscrowd") != 1:
            outlines += bool(entry.get("segmentation"))
            boxes.setdefault(image, []).append(Box(label, *box))
            continue
        doubtful.add(image)
        if label is not None:
            file.odd["annotation of a crowd" if box is not None else "annotation without a usable bbox"] += 1
    for entry, item, exists in file.images():
        number = key_of(entry.get("id"))
        found = tuple(boxes.pop(number, ()))
        known = file.annotated and (found or (number and number not in doubtful))
        images.add(replace(item, boxes=found if known else None), exists)
    file.odd["box of an image that is not listed"] += sum(map(len, boxes.values()))
    return outlines


def _may_be_coco(tree: Tree, name: str) -> bool:
    """Tell by its keys: ``images`` alone is in many a file that describes a set."""
    start = tree.start(name, LOOKED_AT)
    listed = b'"images"' in start and b'"file_name"' in start
    return listed or (b'"annotations"' in start and (b'"categories"' in start or b'"image_id"' in start))


def _load(tree: Tree, name: str) -> dict[str, Any]:
    try:
        content = json.loads(tree.read(name))
    except (ValueError, RecursionError):
        raise DataError(f"{tree.place(name)} is no valid JSON: export it again.") from None
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise DataError(f"{tree.place(name)} has no list of 'images': export it again as COCO.")
    return content


def key_of(number: object) -> str:
    """Make ids comparable: files have been seen that write ``1`` here and ``"1"`` there."""
    if isinstance(number, float) and number.is_integer():
        number = int(number)  # as tables write numbers that may be missing
    return str(number) if isinstance(number, int | str) and not isinstance(number, bool) else ""


def _numbers(bbox: object) -> tuple[float, float, float, float] | None:
    if not isinstance(bbox, list) or len(bbox) != 4:
        return None
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in bbox):
        return None
    try:
        x, y, width, height = map(float, bbox)
    except OverflowError:
        return None
    usable = all(map(math.isfinite, (x, y, width, height))) and width > 0 and height > 0
    return (x, y, width, height) if usable else None


def _part(name: str) -> Part | None:
    words = re.split(r"[^a-z]+", name.lower())
    return next((PARTS[word] for word in reversed(words) if word in PARTS), None)


def _plural(what: str) -> str:
    first, _, rest = what.partition(" ")
    return f"{first}{'es' if first.endswith('x') else 's'} {rest}"


READER = Reader("coco", "COCO JSON with boxes", _recognises, _read)
