"""BIIGLE's CSV of image annotations: a row a label of a shape, its points in pixels.

Rectangles, circles, ellipses and polygons become the boxes around them; points and lines have no box. An image
without a row is not in the table, so it is not in the set.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING

from imagine_lib.data.imageset import Box, ImageItem, ImageSet
from imagine_lib.data.readers.collecting import Collection
from imagine_lib.data.readers.reader import Reader
from imagine_lib.data.readers.text import counted, header, read_rows
from imagine_lib.errors import DataError
from imagine_lib.wire import Task

if TYPE_CHECKING:
    from imagine_lib.data.readers.tree import Tree

COLUMNS = ("filename", "label_name", "shape_name", "points")

CIRCLE, ELLIPSE = "circle", "ellipse"
SHAPES = ("rectangle", "polygon", ELLIPSE, CIRCLE)


def _recognises(tree: Tree) -> bool:
    return bool(_tables(tree))


def _read(tree: Tree) -> ImageSet:
    tables = _tables(tree)
    if not tables:
        raise DataError(f"{tree.location} holds no BIIGLE table: one has the columns {', '.join(COLUMNS)}.")
    boxes: dict[str, dict[Box, None]] = {}
    odd: Counter[str] = Counter()
    for table in tables:
        rows = read_rows(tree.read(table), ",", tree.place(table))
        names = [name.lower() for name in next(rows)]
        for cells in rows:
            row = dict(zip(names, cells, strict=False))
            path, label, shape = row.get("filename"), row.get("label_name"), row.get("shape_name", "").lower()
            if not path or not label:
                odd["without an image or a label"] += 1
                continue
            box = _box(label, shape, row.get("points", ""))
            drawn = boxes.setdefault(path, {})
            if box is not None:
                drawn[box] = None
            else:
                odd["of points and lines" if shape not in SHAPES else "whose points cannot be read"] += 1
    images = Collection(tree.location)
    for path, found in boxes.items():
        name, exists = tree.find(path, tree.location, "", "images")
        images.add(ImageItem(tree.content(name), name, boxes=tuple(found) or None), exists)
    remarks = [f"{counted(number, 'row')} {what}: left out." for what, number in sorted(odd.items())]
    return ImageSet(
        tree.location,
        images.items(),
        task=Task.DETECTION,
        format=READER.name,
        classes_declared=tuple(sorted({box.label for found in boxes.values() for box in found})),
        remarks=(*remarks, *images.remarks()),
    )


def _tables(tree: Tree) -> list[str]:
    return [name for name in tree.files(".csv") if "/" not in name and _is_biigle(tree.start(name))]


def _is_biigle(start: bytes) -> bool:
    return set(COLUMNS) <= {name.lower() for name in header(start, ",")}


def _box(label: str, shape: str, points: str) -> Box | None:
    """Return the box around a shape.

    A circle's points are its middle and its radius; an ellipse's are the ends of its axes (BIIGLE's
    ``AnnotationSizeCalculator``).
    """
    try:
        numbers = [float(number) for number in json.loads(points)]
    except (ValueError, TypeError, RecursionError, OverflowError):
        return None
    if shape not in SHAPES or not all(map(math.isfinite, numbers)):
        return None
    if shape == CIRCLE:
        if len(numbers) != 3:
            return None
        x, y, radius = numbers
        xs, ys = [x - radius, x + radius], [y - radius, y + radius]
    else:
        xs, ys = numbers[::2], numbers[1::2]
    if shape == ELLIPSE:
        if len(numbers) != 8:
            return None
        xs, ys = _ends_of_ellipse(xs), _ends_of_ellipse(ys)
    if len(xs) < 2 or len(xs) != len(ys) or max(xs) <= min(xs) or max(ys) <= min(ys):
        return None
    return Box(label, min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


def _ends_of_ellipse(ends: list[float]) -> list[float]:
    """Return how far an ellipse reaches in one direction, from the ends of its axes in that direction.

    A point of it is middle + a cos t + b sin t, which reaches hypot(a, b) to either side; each semi-axis is there
    twice among the four ends, whatever their order.
    """
    middle = sum(ends) / 4
    reach = math.hypot(*(end - middle for end in ends)) / math.sqrt(2)
    return [middle - reach, middle + reach]


READER = Reader("biigle", "BIIGLE's table of image annotations", _recognises, _read)
