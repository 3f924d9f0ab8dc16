"""From the class of each pixel to separate things: patches of one class, with their outlines as run lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from imagine_lib.data.targets import mask_in_image

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from imagine_lib.data.preprocessing import Placement

LEAST_PIXELS = 8
"""Canvas pixels that a patch must have: smaller ones are noise at the edge of something else."""

TOUCHING = np.ones((3, 3), bool)
"""Pixels that touch at a corner belong together."""


@dataclass(frozen=True)
class Region:
    """A patch of one class, in the image's own pixels."""

    number: int
    """Of the class."""
    probability: float
    """Mean over its pixels."""
    box: tuple[float, float, float, float]
    """x, y, width and height."""
    area: float
    outline: dict[str, Any]
    """COCO's uncompressed run lengths."""


def regions(
    classes: NDArray[np.uint8],
    probabilities: NDArray[np.float32],
    nothing: Collection[int],
    width: int,
    height: int,
    where: Placement,
) -> Iterator[Region]:
    """Find the patches of each class on a canvas and bring them to the image's own pixels.

    Parameters
    ----------
    classes, probabilities
        Shape (size, size): the class of each canvas pixel and how probable it is.
    nothing
        Numbers of classes that are no things, such as the background.
    width, height
        Of the image, in pixels.
    where
        Where the image lies on its canvas.

    Yields
    ------
    Region
        By class, then from the top. Four bytes for each pixel of the image are in memory.
    """
    covered = np.zeros(classes.shape, bool)
    covered[where.rows, where.columns] = True
    for number in sorted(set(np.unique(classes[covered]).tolist()) - set(nothing)):
        labels, count = ndimage.label((classes == number) & covered, TOUCHING)
        large = np.flatnonzero(np.bincount(labels.ravel(), minlength=count + 1)[1:] >= LEAST_PIXELS) + 1
        whole = mask_in_image(labels, width, height, where)
        places = ndimage.find_objects(whole, max_label=count)
        for label in large.tolist():
            place = places[label - 1]
            if place is None:  # each of its canvas pixels lies between the middles of the image's pixels
                continue
            mask = whole[place] == label
            rows, columns = place
            yield Region(
                number,
                float(probabilities[labels == label].mean()),
                (
                    float(columns.start),
                    float(rows.start),
                    float(columns.stop - columns.start),
                    float(rows.stop - rows.start),
                ),
                float(mask.sum()),
                run_lengths(mask, columns.start, rows.start, width, height),
            )


def run_lengths(mask: NDArray[np.bool_], x: int, y: int, width: int, height: int) -> dict[str, Any]:
    """Return COCO's uncompressed run lengths of a mask that fills a part of an image.

    Pixels are counted column by column: how many lie outside, then how many inside, and so on; the first count may be
    0 (the format of Lin et al. 2014, "Microsoft COCO", as its program ``pycocotools`` writes it).

    Parameters
    ----------
    mask
        The part, shape (rows, columns); True inside.
    x, y
        Where its top left corner lies in the image.
    width, height
        Of the image, in pixels.
    """
    columns = np.zeros((height, mask.shape[1]), bool)
    columns[y : y + mask.shape[0]] = mask
    inside = columns.ravel(order="F")
    changes = np.flatnonzero(np.diff(inside, prepend=False, append=False)) + x * height
    counts = np.diff(changes, prepend=0, append=width * height).tolist()
    return {"size": [height, width], "counts": counts if counts[-1] else counts[:-1]}
