"""The masks of a set on the canvases of its images, packed in memory: a few hundred bytes each."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.data.numbered import NO_CLASS
from imagine_lib.data.targets import learnable, mask_on_canvas, read_mask
from imagine_lib.errors import DataError
from imagine_lib.hardware import processors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageItem
    from imagine_lib.data.preprocessing import Placement

LEVEL = 1
"""Of the packing: masks have few values in large patches, and more effort gains little."""


@dataclass(frozen=True)
class CanvasMasks:
    """Masks on canvases, unpacked as they are needed."""

    packed: list[bytes]
    places: list[Placement]
    size: int
    """Side of the canvases, in pixels."""
    classes: int

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, row: int) -> NDArray[np.int64]:
        """Return the class of each pixel, ``IGNORED`` where none is known; shape (size, size)."""
        pixels = np.frombuffer(zlib.decompress(self.packed[row]), np.uint8).reshape(self.size, self.size)
        return learnable(pixels, self.places[row], self.classes)

    def pixel_counts(self) -> NDArray[np.int64]:
        """Return how many pixels each class has; shape (classes,)."""
        counts = np.zeros(self.classes, np.int64)
        for row in range(len(self)):
            mask = self[row]
            counts += np.bincount(mask[mask >= 0], minlength=self.classes)
        return counts


@dataclass(frozen=True)
class LoadedMasks:
    """What came of the masks of some images."""

    masks: CanvasMasks
    kept: list[int]
    """Positions of those that could be read."""
    errors: dict[int, str]
    """One sentence for each position that could not."""
    strange: int
    """Images on which a pixel holds a number that is no class."""


def load_masks(
    items: Sequence[ImageItem],
    sizes: Sequence[tuple[int, int]],
    places: Sequence[Placement],
    size: int,
    classes: int,
) -> LoadedMasks:
    """Read masks and bring them to the canvases of their images, with as many threads as there are processors.

    Parameters
    ----------
    items
        Images with masks.
    sizes
        Width and height of each, in pixels.
    places
        Where each lies on its canvas.
    size
        Side of the canvases, in pixels.
    classes
        How many classes there are; other numbers are no class.

    Returns
    -------
    LoadedMasks
    """

    def one(position: int) -> tuple[bytes, bool] | str:
        content = items[position].mask
        assert content is not None
        try:
            mask = read_mask(content, *sizes[position])
        except DataError as error:
            return str(error)
        canvas = mask_on_canvas(mask, places[position], size)
        strange = bool(((mask >= classes) & (mask != NO_CLASS)).any())
        return zlib.compress(canvas.tobytes(), LEVEL), strange

    with ThreadPoolExecutor(processors()) as pool:
        results = list(pool.map(one, range(len(items))))
    kept = [position for position, result in enumerate(results) if not isinstance(result, str)]
    errors = {position: result for position, result in enumerate(results) if isinstance(result, str)}
    read = [result for result in results if not isinstance(result, str)]
    masks = CanvasMasks([packed for packed, _ in read], [places[position] for position in kept], size, classes)
    return LoadedMasks(masks, kept, errors, sum(strange for _, strange in read))
