"""The range of values of a set whose pixels have more than eight bits: one for the set, never one an image.

With a range of its own, every image would be as bright as every other, and what is faint would no longer be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.data.images import decode
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagine_lib.data.imageset import ImageItem

LOOKED_AT = 500
"""Images that the range is taken from, evenly over the set."""

TAIL = 0.001
"""Share of an image's pixels that may lie above the range, and below it: single hot pixels shall not decide."""


def value_range(items: Sequence[ImageItem]) -> tuple[float, float] | None:
    """Return the values that become black and white.

    Parameters
    ----------
    items
        The images of the set with more than eight bits a pixel.

    Returns
    -------
    tuple of float
        From the darkest to the brightest that any of the images looked at needs; None without images.
    """
    lows, highs = [], []
    for position in range(0, len(items), 1 + len(items) // LOOKED_AT):
        try:
            pixels = decode(items[position].content).pixels
        except DataError:
            continue
        if pixels.dtype != np.uint8 and np.isfinite(pixels).all():
            low, high = np.quantile(pixels, [TAIL, 1 - TAIL])
            lows.append(float(low))
            highs.append(float(high))
    if not lows:
        return None
    return min(lows), max(max(highs), min(lows) + 1e-6)
