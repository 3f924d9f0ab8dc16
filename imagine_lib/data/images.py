"""Decode one image, whatever it is; what cannot be decoded says so in one sentence.

Pillow decodes: torchvision's own decoder takes a third less time, but is deprecated, and each image is decoded once.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imagine_lib.data.content import Content

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""What counts as an image when a folder is listed."""

MAX_PIXELS = 100_000_000
"""Larger images are refused before they are decoded: a few kilobytes can unfold to many gigabytes."""

ORIENTATION = 0x0112
"""The EXIF tag that says which way up a camera was held."""


@dataclass(frozen=True)
class Decoded:
    """An image in memory."""

    pixels: NDArray[Any]
    """Shape (height, width, channels): uint8 with 1 channel (grey) or 3 (RGB), or uint16 or float32 with 1."""
    sha256: str
    """Hash of the encoded bytes."""


def decode(content: Content) -> Decoded:
    """Read and decode an image.

    Parameters
    ----------
    content
        Where it lies. The EXIF orientation is applied; transparency is laid on white; grey stays one channel, and
        more than eight bits stay as they are.

    Returns
    -------
    Decoded

    Raises
    ------
    DataError
        It is missing, empty, truncated, too large or no image.
    """
    encoded = content.read()
    if not encoded:
        raise DataError(f"{content.place} is empty (0 bytes): copy it again from its source.")
    return Decoded(_pixels(content.place, encoded), hashlib.sha256(encoded).hexdigest())


def content_hash(content: Content) -> str | None:
    """Return the SHA-256 of an image's encoded bytes; None where they cannot be read."""
    try:
        return hashlib.sha256(content.read()).hexdigest()
    except DataError:
        return None


@dataclass(frozen=True)
class Header:
    """What the first bytes of an image tell, without decoding it."""

    width: int
    height: int
    """In pixels, the right way up."""
    colour: bool
    deep: bool
    """Whether a pixel has more than eight bits."""
    sha256: str


def header_of(content: Content) -> Header | None:
    """Look at an image without decoding it; None where it is none."""
    try:
        encoded = content.read()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(encoded)) as image:
                width, height = _upright_size(image)
                deep = image.mode == "F" or image.mode.startswith("I")
                colour = not deep and (image.mode not in ("1", "L") or "transparency" in image.info)
                return Header(width, height, colour, deep, hashlib.sha256(encoded).hexdigest())
    except Exception:
        return None


def _pixels(place: str, encoded: bytes) -> NDArray[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(encoded)) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                return _to_array(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError:
        raise DataError(
            f"{place} is too large (over {MAX_PIXELS // 1_000_000} million pixels): cut it into smaller images."
        ) from None
    except UnidentifiedImageError:
        raise DataError(f"{place} is not an image, whatever its name says.") from None
    except Exception:
        raise DataError(f"{place} is damaged or cut short: copy it again from its source.") from None


def _to_array(image: Image.Image) -> NDArray[Any]:
    if image.mode == "F":
        return np.asarray(image, dtype=np.float32)[..., None]
    if image.mode.startswith("I"):
        values = np.asarray(image)
        fits = values.min(initial=0) >= 0 and values.max(initial=0) <= np.iinfo(np.uint16).max
        return values.astype(np.uint16 if fits else np.float32)[..., None]
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(white, rgba).convert("RGB")
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))[..., None]
    return np.asarray(image.convert("RGB"))


def _upright_size(image: Image.Image) -> tuple[int, int]:
    turned = image.getexif().get(ORIENTATION, 1) >= 5  # from 5 on, the camera lay on its side
    return (image.height, image.width) if turned else (image.width, image.height)
