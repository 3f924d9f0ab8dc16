"""Size, depth and colour of the images."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.data.preprocessing import COVERED
from imagine_lib.data.readers.text import counted
from imagine_lib.doctor.finding import Finding, about_images

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageSet

FACTOR = 8
"""How many times larger or smaller than the median an image may be."""

SHRUNK = 1.5
"""How many times the size that fits on the canvas an image may have before its shrinking is said."""


def check_pixels(data: ImageSet) -> list[Finding]:
    """Find mixed depth and colour, and sizes far from the rest."""
    rows = np.flatnonzero(data.looks.readable)
    if not len(rows):
        return []
    table = data.looks.table[rows]
    longer = np.maximum(table["width"], table["height"]).astype(np.float64)
    return [
        *_mixed_depth(data, rows, table["bits"]),
        *_mixed_colour(data, rows, table["channels"]),
        *_extreme(data, rows, longer),
    ]


def _mixed_depth(data: ImageSet, rows: NDArray[np.int64], bits: NDArray[np.uint8]) -> list[Finding]:
    found = Counter(bits.tolist())
    rare = min(sorted(found), key=lambda depth: found[depth])
    positions = rows[bits == rare].tolist() if len(found) > 1 else []
    listed = ", ".join(f"{found[depth]:,} of {depth} bits" for depth in sorted(found))
    return about_images(
        data,
        positions,
        "mixed-depth",
        "warning",
        f"The images differ in bit depth ({listed}), so that the same brightness has different values.",
        "Export all images with one bit depth.",
    )


def _mixed_colour(data: ImageSet, rows: NDArray[np.int64], channels: NDArray[np.uint8]) -> list[Finding]:
    found = Counter(channels.tolist())
    rare = min(sorted(found), key=lambda count: found[count])
    positions = rows[channels == rare].tolist() if len(found) > 1 else []
    return about_images(
        data,
        positions,
        "mixed-channels",
        "note",
        f"{counted(found[1], 'grey image')} among {counted(found[3], 'colour image')}: all are read as colour.",
        "Make sure that colour does not give away the class or the instrument, or convert all to grey.",
    )


def _extreme(data: ImageSet, rows: NDArray[np.int64], longer: NDArray[np.float64]) -> list[Finding]:
    median, fits = float(np.median(longer)), float(np.quantile(longer, COVERED))
    order = np.argsort(longer, kind="stable")
    small = [int(rows[i]) for i in order if longer[i] * FACTOR < median]
    large = [int(rows[i]) for i in order[::-1] if longer[i] > median * FACTOR]
    shrunk = [int(rows[i]) for i in order[::-1] if longer[i] > fits * SHRUNK]
    return [
        *about_images(
            data,
            small,
            "very-small",
            "warning",
            f"{counted(len(small), 'image')} with less than an eighth of the usual size ({median:.0f} pixels).",
            "See whether they show anything, and remove those that do not.",
        ),
        *about_images(
            data,
            large,
            "very-large",
            "warning",
            f"{counted(len(large), 'image')} with more than eight times the usual size ({median:.0f} pixels).",
            "See whether they are whole frames among crops, and cut them.",
        ),
        *about_images(
            data,
            shrunk,
            "larger-than-canvas",
            "note",
            f"{counted(len(shrunk), 'image')} far larger than the canvas at the common scale (longer than {fits:.0f} "
            "pixels): they are shrunk, and look smaller than they are.",
            "Where size tells the classes apart, cut them to the object or treat them on their own.",
        ),
    ]
