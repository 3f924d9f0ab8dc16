"""Decoded images of a set, with the place of each on its canvas: what boxes and masks are learned and tested with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.data.loading import load_canvases
from imagine_lib.data.preprocessing import place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagine_lib.data.imageset import ImageItem
    from imagine_lib.data.loading import Canvases, Progress
    from imagine_lib.data.preprocessing import Placement
    from imagine_lib.wire import InputSpec


@dataclass(frozen=True)
class Placed:
    """Images that could be read."""

    canvases: Canvases
    items: list[ImageItem]
    sizes: list[tuple[int, int]]
    """Width and height of each image, in pixels."""
    places: list[Placement]
    hashes: list[str]
    """SHA-256 of each image's encoded bytes."""
    positions: list[int]
    """Where each is among the images asked for."""
    errors: dict[int, str]
    """One sentence for each position that could not be read."""

    def __len__(self) -> int:
        return len(self.items)

    def pick(self, rows: Sequence[int]) -> Placed:
        """Return some of them."""
        return Placed(
            self.canvases.pick(np.asarray(rows, np.int64)),
            [self.items[row] for row in rows],
            [self.sizes[row] for row in rows],
            [self.places[row] for row in rows],
            [self.hashes[row] for row in rows],
            [self.positions[row] for row in rows],
            self.errors,
        )


def read_placed(items: Sequence[ImageItem], spec: InputSpec, progress: Progress | None = None) -> Placed:
    """Decode images, each only once on this machine.

    Parameters
    ----------
    items
        What to read.
    spec
        The model's preprocessing.
    progress
        Called with the number of images decoded and the number to decode.

    Returns
    -------
    Placed
        About 400 bytes of memory an image, beside the canvases, which are mapped from disk where they are many.
    """
    loaded = load_canvases(items, spec, progress)
    kept = [items[position] for position in loaded.kept]
    places = [place(width, height, spec) for width, height in loaded.sizes]
    return Placed(loaded.canvases, kept, loaded.sizes, places, loaded.hashes, loaded.kept, loaded.errors)
