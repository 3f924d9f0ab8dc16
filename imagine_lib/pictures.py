"""Figures that show themselves in a notebook, whatever its settings."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 110


@dataclass(frozen=True)
class Picture:
    """A matplotlib figure and what it shows, in words."""

    figure: Figure
    text: str

    def to_png(self) -> bytes:
        """Return the picture as a PNG file."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
        return buffer.getvalue()

    def to_data_uri(self) -> str:
        """Return the picture as an address that stands inside an HTML page."""
        return "data:image/png;base64," + base64.b64encode(self.to_png()).decode()

    def save(self, path: str | Path) -> Path:
        """Save the picture as a PNG file."""
        from imagine_lib.storage.staging import write_atomically

        write_atomically(Path(path), self.to_png())
        return Path(path)

    def _repr_png_(self) -> bytes:
        return self.to_png()

    def __repr__(self) -> str:
        return f"<Picture: {self.text}>"
