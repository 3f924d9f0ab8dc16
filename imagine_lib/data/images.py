"""Decode one image, whatever it is; what cannot be decoded says so in one sentence."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""What counts as an image when a folder is listed."""

MAX_PIXELS = 100_000_000
"""Larger images are refused before they are decoded: a few kilobytes can unfold to many gigabytes."""


@dataclass(frozen=True)
class Decoded:
    """An image in memory."""

    pixels: NDArray[np.uint8]
    """Shape (height, width, 3)."""
    sha256: str
    """Hash of the file's content."""


def decode(path: Path) -> Decoded:
    """Read and decode an image file.

    Parameters
    ----------
    path
        The file. The EXIF orientation is applied; transparency is laid on white; 16-bit grey is scaled to its own
        type's range.

    Returns
    -------
    Decoded

    Raises
    ------
    DataError
        The file is missing, empty, truncated, too large or no image.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {(error.strerror or 'unknown error').lower()}.") from None
    if not content:
        raise DataError(f"{path} is empty (0 bytes): copy it again from its source.")
    return Decoded(_pixels(path, content), hashlib.sha256(content).hexdigest())


def content_hash(path: Path) -> str | None:
    """Return the SHA-256 of a file's content; None where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def longer_side(path: Path) -> int | None:
    """Return an image's longer side in pixels, from its header alone; None where that cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return max(image.size)
    except Exception:
        return None


def _pixels(path: Path, content: bytes) -> NDArray[np.uint8]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                return np.asarray(_to_rgb(ImageOps.exif_transpose(image)))
    except Image.DecompressionBombError:
        raise DataError(
            f"{path} is too large (over {MAX_PIXELS // 1_000_000} million pixels): cut it into smaller images."
        ) from None
    except UnidentifiedImageError:
        raise DataError(f"{path} is not an image, whatever its name says.") from None
    except Exception:
        raise DataError(f"{path} is damaged or cut short: copy it again from its source.") from None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        ceiling = 65535.0 if image.mode.startswith("I") else max(float(values.max(initial=0.0)), 1.0)
        grey = np.clip(values * 255.0 / ceiling, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")
