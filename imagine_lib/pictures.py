"""Figures that show themselves in a notebook, whatever its settings, and small versions of images."""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from imagine_lib.data.content import Content

DOTS_PER_INCH = 110


@dataclass(frozen=True)
class Picture:
    """A matplotlib figure and what it shows, in words."""

    figure: Figure
    text: str

    def to_png(self) -> bytes:
        """Return the picture as a PNG file."""
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in another script is drawn as boxes
            self.figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
        return buffer.getvalue()

    def to_data_uri(self) -> str:
        """Return the picture as an address that stands inside an HTML page."""
        return _data_uri(self.to_png())

    def save(self, path: str | Path) -> Path:
        """Save the picture as a PNG file."""
        from imagine_lib.storage.staging import write_atomically

        write_atomically(Path(path), self.to_png())
        return Path(path)

    def _repr_png_(self) -> bytes:
        return self.to_png()

    def __repr__(self) -> str:
        return f"<Picture: {self.text}>"


def thumbnail(content: Content, side: int = 144) -> str:
    """Return a small version of an image, as an address that stands inside an HTML page.

    Parameters
    ----------
    content
        Where its bytes lie. More than eight bits are spread from the darkest to the brightest of this image.
    side
        The longer side at most, in pixels.

    Raises
    ------
    DataError
        The image cannot be read.
    """
    import numpy as np
    from PIL import Image

    from imagine_lib.data.images import decode

    pixels = decode(content).pixels
    if pixels.dtype != np.uint8:
        values = np.nan_to_num(pixels.astype(np.float32))
        pixels = ((values - values.min()) * (255 / max(float(np.ptp(values)), 1e-12))).astype(np.uint8)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return _data_uri(buffer.getvalue())


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
