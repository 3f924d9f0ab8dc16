"""Pascal VOC: an XML file for each image in ``Annotations``, the images in ``JPEGImages`` or ``images``.

Corners are pixels of the box, counted from 1 (VOC 2012 development kit): a box from 1 to 10 is 10 wide.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from imagine_lib.data.imageset import PARTS, Box, ImageItem, ImageSet
from imagine_lib.data.readers.collecting import Collection
from imagine_lib.data.readers.reader import Reader
from imagine_lib.data.readers.text import counted, read_lines
from imagine_lib.errors import DataError
from imagine_lib.wire import Task

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from imagine_lib.data.imageset import Part
    from imagine_lib.data.readers.tree import Tree

LISTS = ("train", "val", "test")

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def _recognises(tree: Tree) -> bool:
    return any(b"<annotation" in tree.start(name) for name in tree.files(".xml")[:20])


def _read(tree: Tree) -> ImageSet:
    files = tree.files(".xml")
    if not files:
        raise DataError(f"{tree.location} holds no XML files: a Pascal VOC set has one for each image.")
    images = Collection(tree.location)
    parts = _parts(tree)
    unreadable: list[str] = []
    without_box = 0
    for name in files:
        root = _parse(tree, name)
        if root is None:
            unreadable.append(name)
            continue
        path = _text(root, "filename") or f"{name.rpartition('/')[2][:-4]}.jpg"
        folder = name.rpartition("/")[0]
        above = folder.rpartition("/")[0]
        bases = [f"{above}/{images_in}".strip("/") for images_in in ("JPEGImages", "images", "")]
        image, exists = tree.find(path, tree.place(name), *bases, folder)
        boxes = [_box(element) for element in root.iter("object")]
        without_box += boxes.count(None)
        found = tuple(box for box in boxes if box is not None)
        part = parts.get(name.rpartition("/")[2][:-4])
        known = found or not boxes
        images.add(ImageItem(tree.content(image), image, boxes=found if known else None, part=part), exists)
    items = images.items()
    remarks = [*images.remarks()]
    if unreadable:
        number = counted(len(unreadable), "XML file")
        remarks.append(f"{number} that cannot be read as an annotation, such as {unreadable[0]!r}: left out.")
    if without_box:
        remarks.append(f"{counted(without_box, 'object')} without a name or a usable box: left out.")
    return ImageSet(
        tree.location,
        items,
        task=Task.DETECTION,
        format=READER.name,
        classes_declared=tuple(sorted({box.label for item in items for box in item.boxes or ()})),
        remarks=tuple(remarks),
    )


def _parse(tree: Tree, name: str) -> Element | None:
    try:
        root: Element = fromstring(tree.read(name))
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
        return None
    return root if root.tag == "annotation" else None


def _text(element: Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()


def _box(element: Element) -> Box | None:
    corners = element.find("bndbox")
    label = _text(element, "name")
    if corners is None or not label:
        return None
    try:
        left, top, right, bottom = (float(_text(corners, tag)) for tag in CORNERS)
    except ValueError:
        return None
    if not all(map(math.isfinite, (left, top, right, bottom))) or right < left or bottom < top:
        return None
    return Box(label, left - 1, top - 1, right - left + 1, bottom - top + 1)


def _parts(tree: Tree) -> dict[str, Part]:
    """Return which part each image is in, by its name, where ``ImageSets/Main`` says so."""
    found: dict[str, Part] = {}
    for word in LISTS:
        for name in tree.names:
            if name == f"ImageSets/Main/{word}.txt" or name.endswith(f"/ImageSets/Main/{word}.txt"):
                lines = (line for line in read_lines(tree, name) if line not in found)
                found.update(dict.fromkeys(lines, PARTS[word]))
    return found


READER = Reader("voc", "Pascal VOC: an XML file for each image", _recognises, _read)
