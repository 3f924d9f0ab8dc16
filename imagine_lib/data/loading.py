"""Decode a set of images into one array, with as many threads as there are processors."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.data.images import Decoded, decode, longer_side
from imagine_lib.data.preprocessing import to_canvas
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageItem
    from imagine_lib.wire import InputSpec


@dataclass(frozen=True)
class Loaded:
    """Images as a network takes them."""

    canvases: NDArray[np.uint8]
    """Shape (images, size, size, 3)."""
    hashes: list[str]
    """SHA-256 of each file's content."""
    kept: list[int]
    """Positions, in the items asked for, of the images that could be read."""
    errors: dict[int, str]
    """One sentence for each position that could not."""


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_canvases(items: Sequence[ImageItem], spec: InputSpec) -> Loaded:
    """Decode and resize images.

    Parameters
    ----------
    items
        What to read.
    spec
        The model's preprocessing.

    Returns
    -------
    Loaded
        Bad images are reported in ``errors`` and left out of the array.
    """
    canvases: list[NDArray[np.uint8]] = []
    hashes: list[str] = []
    kept: list[int] = []
    errors: dict[int, str] = {}
    for index, result in enumerate(_decode_all(items, spec)):
        if isinstance(result, str):
            errors[index] = result
        else:
            canvases.append(result[0])
            hashes.append(result[1])
            kept.append(index)
    shape = (0, spec.size, spec.size, 3)
    return Loaded(np.stack(canvases) if canvases else np.empty(shape, np.uint8), hashes, kept, errors)


def longer_sides(items: Sequence[ImageItem]) -> list[int]:
    """Return the longer side, in pixels, of each image that can be read."""
    with ThreadPoolExecutor(processors()) as pool:
        return [side for side in pool.map(lambda item: longer_side(item.path), items) if side is not None]


def _decode_all(items: Sequence[ImageItem], spec: InputSpec) -> Iterator[tuple[NDArray[np.uint8], str] | str]:
    def one(item: ImageItem) -> tuple[NDArray[np.uint8], str] | str:
        try:
            image: Decoded = decode(item.path)
        except DataError as error:
            return str(error).replace(str(item.path), item.name)  # the user knows no cache folder
        return to_canvas(image.pixels, spec), image.sha256

    with ThreadPoolExecutor(processors()) as pool:
        yield from pool.map(one, items)
