"""Masks that a file describes and does not draw: outlines as corners or run lengths, as COCO has them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BITS, MORE, NEGATIVE, FIRST = 5, 0x20, 0x10, ord("0")
"""A character of compressed run lengths, less the first one: five bits, and whether others follow; in the last one
of a number, whether it is below zero."""


@dataclass(frozen=True, slots=True)
class OutlinedMask:
    """The mask of one image, drawn when it is read."""

    place: str
    """As errors name it."""
    width: int
    height: int
    """Of the image, in pixels."""
    outlines: tuple[tuple[int, str], ...]
    """The number of each one's class, and what :func:`checked_outline` made of it; later ones lie over earlier."""

    def read(self) -> bytes:
        """Return the mask as a binary PGM, 0 where there is no outline."""
        canvas = np.zeros((self.height, self.width), np.uint8)
        for number, text in self.outlines:
            outline = json.loads(text)
            if isinstance(outline, dict):
                canvas[_inside(outline["counts"], *canvas.shape)] = number
            else:
                for corners in outline:
                    _fill(canvas, number, np.asarray(corners, np.float64).reshape(-1, 2))
        return b"P5 %d %d 255\n" % (self.width, self.height) + canvas.tobytes()


def checked_outline(outline: Any, width: int, height: int) -> str | None:
    """Return an outline as text, which takes little memory; None where it cannot be drawn.

    Parameters
    ----------
    outline
        COCO's ``segmentation``: a list of polygons (x, y, x, y, …), or run lengths, which count pixels column by
        column: how many lie outside, how many inside, and so on (``size``: height, width; ``counts``: a list, or
        text as ``pycocotools`` writes it).
    width, height
        Of the image, in pixels.
    """
    if isinstance(outline, dict):
        counts = outline.get("counts")
        runs = decode_counts(counts) if isinstance(counts, str) else counts
        fits = outline.get("size") == [height, width] and _cover(runs, width * height)
        return json.dumps({"counts": runs}) if fits else None
    polygons = outline if isinstance(outline, list) and outline else [None]
    return json.dumps(polygons) if all(map(_is_polygon, polygons)) else None


def decode_counts(text: str) -> list[int] | None:
    """Return the run lengths that a text stands for; None where it is cut short or holds something else.

    Each number is written in groups of five bits, the lowest first, and from the fourth on as the difference to the
    one before the last (``rleFrString`` in COCO's ``maskApi.c``).
    """
    counts: list[int] = []
    value = shift = 0
    for sign in text.encode("utf-8"):
        group = sign - FIRST
        if not 0 <= group < 2 * MORE or shift > 60:
            return None
        value |= (group & (MORE - 1)) << shift
        shift += BITS
        if not group & MORE:
            value -= (1 << shift) if group & NEGATIVE else 0
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    return None if shift else counts


def _cover(runs: object, pixels: int) -> bool:
    return isinstance(runs, list) and all(type(run) is int and run >= 0 for run in runs) and sum(runs) == pixels


def _is_polygon(corners: object) -> bool:
    if not isinstance(corners, list) or len(corners) < 6 or len(corners) % 2:
        return False
    return all(type(value) in (int, float) and abs(value) < 1e9 and math.isfinite(value) for value in corners)


def _inside(counts: list[int], height: int, width: int) -> NDArray[np.bool_]:
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T


def _fill(canvas: NDArray[np.uint8], number: int, corners: NDArray[np.float64]) -> None:
    """Write a number into the pixels whose middle lies in a polygon: where a line from the left crossed it oddly."""
    ends = np.roll(corners, -1, axis=0)
    rows = np.clip(np.ceil(corners[:, 1] - 0.5), 0, len(canvas)).astype(np.int64)
    for row in range(rows.min(), rows.max()):
        middle = row + 0.5
        crossed = (corners[:, 1] <= middle) != (ends[:, 1] <= middle)
        start, end = corners[crossed], ends[crossed]
        across = start[:, 0] + (middle - start[:, 1]) / (end[:, 1] - start[:, 1]) * (end[:, 0] - start[:, 0])
        columns = np.clip(np.ceil(np.sort(across) - 0.5), 0, canvas.shape[1]).astype(np.int64)
        for left, right in columns.reshape(-1, 2).tolist():
            canvas[row, left:right] = number
