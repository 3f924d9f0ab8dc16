"""Sets of images made in a few lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from imagine_lib.data.content import FileContent
from imagine_lib.data.imageset import ImageItem, ImageSet

if TYPE_CHECKING:
    from pathlib import Path

Add = Callable[..., ImageItem]


class Maker:
    """Writes images and remembers them as a set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.items: list[ImageItem] = []

    def noise(self, side: int = 32, channels: int = 1, bits: int = 8) -> np.ndarray:
        """An image like no other."""
        rng = np.random.default_rng(len(self.items))
        shape = (side, side) if channels == 1 else (side, side, channels)
        return rng.integers(0, 2**bits, shape).astype(np.uint8 if bits == 8 else np.uint16)

    def add(self, label: str | None = "a", pixels: np.ndarray | bytes | None = None, **facts: object) -> ImageItem:
        name = f"{len(self.items):04d}.png"
        pixels = self.noise() if pixels is None else pixels
        if isinstance(pixels, bytes):
            (self.folder / name).write_bytes(pixels)
        else:
            Image.fromarray(pixels).save(self.folder / name)
        self.items.append(ImageItem(FileContent(self.folder / name), name, label=label, **facts))  # type: ignore[arg-type]
        return self.items[-1]

    def mask(self, pixels: np.ndarray) -> FileContent:
        path = self.folder / f"mask{len(self.items)}.png"
        Image.fromarray(pixels).save(path)
        return FileContent(path)

    def done(self, **facts: object) -> ImageSet:
        return ImageSet("made", tuple(self.items), **facts)  # type: ignore[arg-type]


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)
