"""COCO JSON: images, categories, and annotations with a ``bbox`` (x, y, width, height, in pixels).

Outlines (``segmentation``) are read as their boxes only. Several files, as ``instances_train.json`` and
``instances_val.json``, are one set whose parts are known.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from imagine_lib.data.imageset import Box, ImageItem, ImageSet
from imagine_lib.data.readers.collecting import Collection
from imagine_lib.data.readers.reader import Reader
from imagine_lib.data.readers.text import counted
from imagine_lib.errors import DataError
from imagine_lib.wire import Task

if TYPE_CHECKING:
    from imagine_lib.data.imageset import Part
    from imagine_lib.data.readers.tree import Tree

PARTS: dict[str, Part] = {
    "train": "train", "training": "train",
    "val": "select", "valid": "select", "validation": "select",
    "test": "test",
}  # fmt: skip

LOOKED_AT = 2**20
"""Bytes at the start of a JSON file in which its kind shows: licences and the like may come first."""

OUTLINE = "outline"


def _recognises(tree: Tree) -> bool:
    return any(_may_be_coco(tree, name) for name in tree.files(".json")[:20])


def _read(tree: Tree) -> ImageSet:
    files = [name for name in tree.files(".json") if _may_be_coco(tree, name)]
    if not files:
        raise DataError(f"{tree.location} holds no COCO file: one has 'images', 'annotations', 'categories'.")
    images = Collection(tree.location)
    declared: set[str] = set()
    remarks: list[str] = []
    for name in files:
        reading = _File(tree, name, _part(name) if len(files) > 1 else None)
        reading.read(images)
        declared.update(reading.categories.values())
        remarks += reading.remarks()
    return ImageSet(
        tree.location,
        images.items(),
        task=Task.DETECTION,
        format=READER.name,
        classes_declared=tuple(sorted(declared)),
        remarks=(*remarks, *images.remarks()),
    )


class _File:
    """One JSON file."""

    def __init__(self, tree: Tree, name: str, part: Part | None) -> None:
        self.tree, self.place, self.part = tree, tree.place(name), part
        folder, _, base = name.rpartition("/")
        above = folder.rpartition("/")[0]
        word = re.split(r"[_.]", base)[-2]
        self.bases = (*(f"{way}/{below}".strip("/") for way in (folder, above) for below in ("", "images", word)),)
        self.content = _load(tree, name)
        self.categories = {
            _key(entry.get("id")): str(entry["name"]).strip()
            for entry in _entries(self.content, "categories")
            if isinstance(entry.get("name"), str | int) and str(entry["name"]).strip()
        }
        self.odd: Counter[str] = Counter()
        self.doubtful: set[str] = set()

    def read(self, images: Collection) -> None:
        """Take the images of the file."""
        annotated = isinstance(self.content.get("annotations"), list)
        boxes = self._boxes()
        for entry in _entries(self.content, "images"):
            path = entry.get("file_name")
            if not isinstance(path, str) or not path.strip():
                self.odd["image without a file_name"] += 1
                continue
            name, exists = self.tree.find(path.strip(), self.place, *self.bases)
            number = _key(entry.get("id"))
            found = tuple(boxes.pop(number, ()))
            known = annotated and (found or number not in self.doubtful)
            item = ImageItem(self.tree.content(name), name, boxes=found if known else None, part=self.part)
            images.add(item, exists)
        self.odd["box of an image that is not listed"] += sum(map(len, boxes.values()))

    def remarks(self) -> list[str]:
        """Return what is odd, one sentence each."""
        outlined = self.odd.pop(OUTLINE, 0)
        found = [
            f"{self.place} has {counted(n, what, _plural(what))}: left out." for what, n in self.odd.items() if n
        ]
        if outlined:
            found.append(f"{self.place} has {counted(outlined, 'outline')}: read as boxes only.")
        return found

    def _boxes(self) -> dict[str, list[Box]]:
        found: dict[str, list[Box]] = {}
        for entry in _entries(self.content, "annotations"):
            label = self.categories.get(_key(entry.get("category_id")))
            box = _numbers(entry.get("bbox"))
            image = _key(entry.get("image_id"))
            if label is not None and box is not None and entry.get("iscrowd") != 1:
                self.odd[OUTLINE] += bool(entry.get("segmentation"))
                found.setdefault(image, []).append(Box(label, *box))
                continue
            self.doubtful.add(image)
            crowd = "annotation of a crowd" if box is not None else "annotation without a usable bbox"
            self.odd["annotation of an unknown category" if label is None else crowd] += 1
        return found


def _may_be_coco(tree: Tree, name: str) -> bool:
    start = tree.start(name, LOOKED_AT)
    return b'"images"' in start or (b'"annotations"' in start and b'"categories"' in start)


def _load(tree: Tree, name: str) -> dict[str, Any]:
    try:
        content = json.loads(tree.read(name))
    except (ValueError, RecursionError):
        raise DataError(f"{tree.place(name)} is no valid JSON: export it again.") from None
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise DataError(f"{tree.place(name)} has no list of 'images': export it again as COCO.")
    return content


def _entries(content: dict[str, Any], key: str) -> list[dict[str, Any]]:
    listed = content.get(key)
    return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []


def _key(number: object) -> str:
    """Make ids comparable: files have been seen that write ``1`` here and ``"1"`` there."""
    return str(number) if isinstance(number, int | str) else ""


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
