"""Decode one image, whatever it is; what cannot be decoded says so in one sentence.

Pillow decodes: torchvision's own decoder takes a third less time, but is deprecated, and each image is decoded once.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from imagine_lib.data.content import Content

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""What counts as an image when a folder is listed."""

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""What is decoded. Pillow knows many more, and hands some of them (PostScript) to other programs."""

MAX_PIXELS = 100_000_000
"""Larger images are refused before they are decoded: a few kilobytes can unfold to many gigabytes."""

TOO_DEEP = "has more than 8 bits for each colour: save it with 8 bits for each colour, or in grey with 16 bits."
PAGES = "holds more than one picture: save each as a file of its own."
UNSUPPORTED = (TOO_DEEP, PAGES)
"""Ends of the sentences on sound images of which only a part would be read."""

BITS_PER_SAMPLE, ORIENTATION = 0x0102, 0x0112
"""The tags that say how many bits a colour has, and which way up a camera was held."""


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
        It is missing, empty, truncated, too large or no image, or only a part of it would be read: colours of more
        than eight bits, or one of several pictures.
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
        with open_image(encoded) as image:
            width, height = upright_size(image)
            deep = image.mode == "F" or image.mode.startswith("I")
            colour = not deep and (image.mode not in ("1", "L") or "transparency" in image.info)
            return Header(width, height, colour, deep, hashlib.sha256(encoded).hexdigest())
    except Exception:
        return None


@contextmanager
def open_image(encoded: bytes) -> Iterator[Image.Image]:
    """Open an image without decoding it, if it is of :data:`FORMATS`, whatever its name says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            yield image


def _pixels(place: str, encoded: bytes) -> NDArray[Any]:
    try:
        with open_image(encoded) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            if _is_deep_colour(image):
                raise DataError(f"{place} {TOO_DEEP}")
            if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:  # of a camera's MPO the rest is previews
                raise DataError(f"{place} {PAGES}")
            return _to_array(ImageOps.exif_transpose(image))
    except DataError:
        raise
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


def _is_deep_colour(image: Image.Image) -> bool:
    """Tell whether Pillow would cut colours of 16 bits to 8: a TIFF says so itself, a PNG by how it is packed."""
    if image.mode == "F" or image.mode.startswith("I"):
        return False
    bits = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (8,))
    return max(bits) > 8 or any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height of an image as it is shown, in pixels."""
    turned = image.getexif().get(ORIENTATION, 1) >= 5  # from 5 on, the camera lay on its side
    return (image.height, image.width) if turned else (image.width, image.height)
