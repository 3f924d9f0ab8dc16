"""Boxes that do not lie on their image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imagine_lib.data.readers.text import counted
from imagine_lib.doctor.finding import Finding, Severity, about_images

if TYPE_CHECKING:
    from imagine_lib.data.imageset import Box, ImageSet

TOLERANCE = 1.0
"""Pixels that a box may stick out: what is measured in whole pixels is rounded."""


def check_boxes(data: ImageSet) -> list[Finding]:
    """Find boxes without an area, beside their image, or sticking out of it."""
    areas: dict[int, int] = {}
    beside: dict[int, int] = {}
    sticking: dict[int, int] = {}
    for index, item in enumerate(data.items):
        look = data.looks[index] if item.boxes else None
        for box in item.boxes or ():
            if _has_no_area(box):
                areas[index] = areas.get(index, 0) + 1
            elif look is not None and look.width and _is_beside(box, look.width, look.height):
                beside[index] = beside.get(index, 0) + 1
            elif look is not None and look.width and _sticks_out(box, look.width, look.height):
                sticking[index] = sticking.get(index, 0) + 1
    return [
        *_found(data, areas, "box-without-area", "without an area", "Draw them again, or remove them."),
        *_found(
            data,
            beside,
            "box-outside",
            "wholly outside of their image",
            "See whether the boxes belong to images of another size, and draw them again.",
        ),
        *_found(
            data,
            sticking,
            "box-sticks-out",
            "partly outside of their image",
            "Cut them at the border of the image.",
        ),
    ]


def _found(data: ImageSet, boxes: dict[int, int], code: str, what: str, remedy: str) -> list[Finding]:
    worst = sorted(boxes, key=lambda index: (-boxes[index], index))
    severity: Severity = "warning" if code == "box-sticks-out" else "error"
    number = sum(boxes.values())
    message = f"{counted(number, 'box', 'boxes')} {what}, on {counted(len(boxes), 'image')}."
    return about_images(data, worst, code, severity, message, remedy)


def _has_no_area(box: Box) -> bool:
    sides = (box.x, box.y, box.width, box.height)
    return not all(map(math.isfinite, sides)) or box.width <= 0 or box.height <= 0


def _is_beside(box: Box, width: int, height: int) -> bool:
    return box.x >= width or box.y >= height or box.x + box.width <= 0 or box.y + box.height <= 0


def _sticks_out(box: Box, width: int, height: int) -> bool:
    right, bottom = box.x + box.width, box.y + box.height
    return min(box.x, box.y) < -TOLERANCE or right > width + TOLERANCE or bottom > height + TOLERANCE
