"""What is to be learned of an image, where it lies on the image's canvas: boxes, and masks of class numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from imagine_lib.data.numbered import NO_CLASS, read_numbers
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from imagine_lib.data.content import Content
    from imagine_lib.data.imageset import Box
    from imagine_lib.data.preprocessing import Placement

Number = TypeVar("Number", bound=np.generic)

IGNORED = -100
"""In a mask: pixels of which nothing is known, as torch's losses leave them out."""

LEAST_SIDE = 1.0
"""Canvas pixels that a box must have on each side: of what is smaller, nothing can be seen."""


@dataclass(frozen=True)
class CanvasBoxes:
    """The boxes of one image, on its canvas."""

    corners: NDArray[np.float32]
    """Shape (boxes, 4): left, top, right, bottom, in canvas pixels."""
    classes: NDArray[np.int64]
    """Shape (boxes,): the number of each one's class."""
    odd: int = 0
    """Boxes left out because they have no area, or lie outside of the image."""
    tiny: int = 0
    """Boxes left out because they are smaller than a pixel of the canvas."""
    strange: int = 0
    """Boxes left out because their class is none of those asked for."""


def boxes_on_canvas(
    boxes: Sequence[Box], numbers: Mapping[str, int], width: int, height: int, where: Placement
) -> CanvasBoxes:
    """Bring the boxes of an image to its canvas.

    Parameters
    ----------
    boxes
        In image pixels; what sticks out of the image is cut.
    numbers
        The number of each class.
    width, height
        Of the image, in pixels.
    where
        Where the image lies on its canvas.

    Returns
    -------
    CanvasBoxes
        Only boxes that can be learned from; the others are counted.
    """
    known = [box for box in boxes if box.label in numbers]
    sides = np.asarray([(box.x, box.y, box.width, box.height) for box in known], np.float64).reshape(-1, 4)
    classes = np.asarray([numbers[box.label] for box in known], np.int64)
    with np.errstate(invalid="ignore", over="ignore"):
        ends = np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)
        usable = np.isfinite(ends).all(axis=1)
        cut = np.clip(np.where(usable[:, None], ends, 0.0), 0.0, (width, height, width, height))
        usable &= (cut[:, 2:] > cut[:, :2]).all(axis=1)
    corners = (cut * _scales(where) + _offsets(where)).astype(np.float32)
    large = (corners[:, 2:] - corners[:, :2] >= LEAST_SIDE).all(axis=1)
    kept = usable & large
    return CanvasBoxes(
        corners[kept],
        classes[kept],
        odd=int((~usable).sum()),
        tiny=int((usable & ~large).sum()),
        strange=len(boxes) - len(known),
    )


def boxes_in_image(corners: NDArray[np.floating], width: int, height: int, where: Placement) -> NDArray[np.float64]:
    """Bring boxes from a canvas back to the image's own pixels.

    Parameters
    ----------
    corners
        Shape (boxes, 4): left, top, right, bottom, in canvas pixels.
    width, height
        Of the image, in pixels: boxes are cut there.
    where
        Where the image lies on its canvas.

    Returns
    -------
    numpy.ndarray
        Shape (boxes, 4): x, y, width, height. A box beside the image has width or height 0.
    """
    ends = (np.asarray(corners, np.float64).reshape(-1, 4) - _offsets(where)) / _scales(where)
    cut = np.clip(ends, 0.0, (width, height, width, height))
    return np.concatenate([cut[:, :2], cut[:, 2:] - cut[:, :2]], axis=1)


def as_sides(corners: NDArray[np.floating]) -> NDArray[np.floating]:
    """Turn left, top, right, bottom into x, y, width, height; shape (boxes, 4)."""
    sides: NDArray[np.floating] = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    return sides


def read_mask(content: Content, width: int, height: int) -> NDArray[np.uint8]:
    """Read a mask.

    Parameters
    ----------
    content
        Where it lies.
    width, height
        Of its image, in pixels.

    Returns
    -------
    numpy.ndarray
        Shape (height, width): the number in each pixel.

    Raises
    ------
    DataError
        It is no picture of numbers to 255, or of another size than its image.
    """
    numbers = read_numbers(content)
    if numbers is None:
        raise DataError(
            f"{content.place} is no mask: save it as 8-bit grey or indexed PNG with a class in each pixel."
        )
    if numbers.shape != (height, width):
        size = f"{numbers.shape[1]} x {numbers.shape[0]}"
        raise DataError(f"{content.place} has {size} pixels and its image {width} x {height}: export the mask again.")
    if numbers.max(initial=0) > NO_CLASS or numbers.min(initial=0) < 0:
        raise DataError(f"{content.place} holds the number {numbers.max()}: a class has a number from 0 to 255.")
    return numbers.astype(np.uint8)


def mask_on_canvas(mask: NDArray[np.uint8], where: Placement, size: int) -> NDArray[np.uint8]:
    """Bring a mask to the canvas of its image, where each pixel takes the number that lies under its middle.

    Parameters
    ----------
    mask
        Shape (height, width).
    where
        Where the image lies on its canvas.
    size
        Side of the canvas, in pixels.

    Returns
    -------
    numpy.ndarray
        Shape (size, size); what the image does not cover is ``NO_CLASS``, which :func:`learnable` knows from a class
        of that number by ``where``.
    """
    canvas = np.full((size, size), NO_CLASS, np.uint8)
    rows = np.minimum((np.arange(where.height) + 0.5) / where.down, mask.shape[0] - 1).astype(np.int64)
    columns = np.minimum((np.arange(where.width) + 0.5) / where.across, mask.shape[1] - 1).astype(np.int64)
    canvas[where.rows, where.columns] = mask[rows[:, None], columns]
    return canvas


def learnable(canvas: NDArray[np.uint8], where: Placement, classes: int) -> NDArray[np.int64]:
    """Return the class of each pixel of a mask on its canvas, ``IGNORED`` where there is none; shape (size, size)."""
    numbers = np.full(canvas.shape, IGNORED, np.int64)
    covered = canvas[where.rows, where.columns].astype(np.int64)
    numbers[where.rows, where.columns] = np.where(covered < classes, covered, IGNORED)
    return numbers


def mask_in_image(canvas: NDArray[Number], width: int, height: int, where: Placement) -> NDArray[Number]:
    """Bring an answer for each pixel of a canvas back to the image's own pixels.

    Parameters
    ----------
    canvas
        Shape (size, size).
    width, height
        Of the image, in pixels.
    where
        Where the image lies on its canvas.

    Returns
    -------
    numpy.ndarray
        Shape (height, width): each pixel has the answer of the canvas pixel in which its middle lies.
    """
    rows = np.minimum((np.arange(height) + 0.5) * where.down, where.height - 1).astype(np.int64)
    columns = np.minimum((np.arange(width) + 0.5) * where.across, where.width - 1).astype(np.int64)
    answers: NDArray[Number] = canvas[where.rows, where.columns][rows[:, None], columns]
    return answers


def _scales(where: Placement) -> NDArray[np.float64]:
    return np.array([where.across, where.down] * 2)


def _offsets(where: Placement) -> NDArray[np.float64]:
    return np.array([where.left, where.top] * 2, np.float64)
