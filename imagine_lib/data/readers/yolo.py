"""YOLO: ``data.yaml`` names the classes and the parts; a text file for each image has one box a line.

``images/…/a.jpg`` has its boxes in ``labels/…/a.txt``, each ``class x y width height``: the middle and the size of
the box as shares of the image's width and height (Ultralytics' detection format). Images are read for their size.
"""

from __future__ import annotations

import math
import posixpath
import re
from typing import TYPE_CHECKING, Any

import yaml

from imagine_lib.data.images import header_of
from imagine_lib.data.imageset import PARTS, Box, ImageItem, ImageSet
from imagine_lib.data.readers.reader import Reader
from imagine_lib.data.readers.text import counted, read_lines
from imagine_lib.data.readers.tree import composed
from imagine_lib.errors import DataError
from imagine_lib.wire import Task

if TYPE_CHECKING:
    from imagine_lib.data.imageset import Part
    from imagine_lib.data.readers.tree import Tree

YAMLS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")

MAX_YAML = 2**18
"""Bytes that the list of classes may have."""


def _recognises(tree: Tree) -> bool:
    name = _yaml(tree)
    return name is not None and re.search(rb"^names\s*:", tree.start(name, MAX_YAML), re.MULTILINE) is not None


def _read(tree: Tree) -> ImageSet:
    name = _yaml(tree)
    if name is None:
        raise DataError(f"{tree.location} holds no data.yaml: it names the classes of a YOLO set.")
    classes = _classes(_load(tree, name), tree.place(name))
    labels = {composed(text): text for text in tree.names if text.endswith(".txt")}
    items, unreadable, broken = [], [], []
    for image in (name for name in tree.images if "images" in name.split("/")[:-1]):
        text = labels.get(composed(_labels_of(image)))
        boxes: tuple[Box, ...] | None = None
        if text is not None:
            header = header_of(tree.content(image))
            if header is None:
                unreadable.append(image)
            else:
                lines = [_box(line, classes, header.width, header.height) for line in read_lines(tree, text) if line]
                broken += [text] * lines.count(None)
                found = tuple(box for box in lines if box is not None)
                boxes = found if found or not lines else None
        items.append(ImageItem(tree.content(image), image, boxes=boxes, part=_part(image)))
    if not items:
        raise DataError(f"{tree.location} holds no images in a folder 'images': a YOLO set has one beside 'labels'.")
    return ImageSet(
        tree.location,
        tuple(items),
        task=Task.DETECTION,
        format=READER.name,
        classes_declared=tuple(sorted(set(classes.values()))),
        remarks=tuple(_remarks(items, unreadable, broken)),
    )


def _remarks(items: list[ImageItem], unreadable: list[str], broken: list[str]) -> list[str]:
    found = []
    if bare := sum(item.boxes is None for item in items) - len(unreadable):
        found.append(f"{counted(bare, 'image')} without a text file of boxes: read without labels.")
    if unreadable:
        found.append(f"{counted(len(unreadable), 'image')} cannot be read, such as {unreadable[0]!r}: without boxes.")
    if broken:
        found.append(
            f"{counted(len(broken), 'line')} with no box of a known class, such as in {broken[0]!r}: left out."
        )
    return found


def _yaml(tree: Tree) -> str | None:
    if tree.file is not None:
        return tree.file if tree.file in YAMLS else None
    return next((name for name in YAMLS if name in tree.names), None)


def _load(tree: Tree, name: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(tree.start(name, MAX_YAML))
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("names"), dict | list):
        raise DataError(f"{tree.place(name)} has no list of 'names': it names the classes of a YOLO set.")
    return content


def _classes(content: dict[str, Any], place: str) -> dict[int, str]:
    names = content["names"]
    pairs = names.items() if isinstance(names, dict) else enumerate(names)
    classes = {
        int(key): str(name).strip()
        for key, name in pairs
        if isinstance(key, int | str) and re.fullmatch(r"[0-9]{1,6}", str(key)) and isinstance(name, int | str)
    }
    if len(classes) < len(names) or not all(classes.values()):
        raise DataError(f"{place} has a class without a name: give each class a number and a name.")
    return classes


def _labels_of(image: str) -> str:
    folders = image.split("/")
    place = len(folders) - 2 - folders[-2::-1].index("images")
    folders[place] = "labels"
    return posixpath.splitext("/".join(folders))[0] + ".txt"


def _box(line: str, classes: dict[int, str], width: int, height: int) -> Box | None:
    """Return the box of a line in pixels; a line of more than five numbers is an outline, whose box is read."""
    cells = line.split()
    try:
        label = classes[int(cells[0])]
        numbers = [float(cell) for cell in cells[1:]]
    except (KeyError, ValueError):
        return None
    if len(numbers) > 5 and len(numbers) % 2 == 0:
        xs, ys = numbers[::2], numbers[1::2]
        left, top, wide, high = min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
    elif len(numbers) in (4, 5):  # the fifth is how sure a detector was
        wide, high = numbers[2], numbers[3]
        left, top = numbers[0] - wide / 2, numbers[1] - high / 2
    else:
        return None
    if not all(map(math.isfinite, (left, top, wide, high))) or wide <= 0 or high <= 0:
        return None
    return Box(label, left * width, top * height, wide * width, high * height)


def _part(image: str) -> Part | None:
    return next((PARTS[folder] for folder in image.lower().split("/")[:-1] if folder in PARTS), None)


READER = Reader("yolo", "YOLO: data.yaml with folders images and labels", _recognises, _read)
