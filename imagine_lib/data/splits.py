"""A split: which images are to learn from, which to choose and calibrate with, and which to be judged by."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

    from imagine_lib.data.imageset import ImageSet

FOUR = ("train", "select", "calibrate", "test")
THREE = ("train", "select", "test")


@dataclass(frozen=True)
class Split:
    """The parts of one set: to learn from, to choose with, to calibrate with, and to be judged by."""

    train: ImageSet
    select: ImageSet
    """Decides when to stop and what to keep."""
    calibrate: ImageSet
    """Fits probabilities and thresholds; in a small set the same images as ``select``."""
    test: ImageSet
    seed: int
    rule: str = "as given"
    """How it was split, in words."""
    warnings: tuple[str, ...] = ()
    """What makes the figures of the test doubtful, one sentence each."""

    @property
    def val(self) -> ImageSet:
        """Another name for ``select``."""
        return self.select

    @property
    def merged(self) -> bool:
        """Whether ``select`` and ``calibrate`` are the same images."""
        return self.calibrate.items == self.select.items

    @property
    def parts(self) -> dict[str, ImageSet]:
        """The parts that differ, by name."""
        return {name: getattr(self, name) for name in (THREE if self.merged else FOUR)}

    @property
    def manifest(self) -> dict[str, Any]:
        """Which image is where: for each part the name and the SHA-256 of each image; null where it is unreadable."""
        parts = {
            name: [[item.name, part.looks.sha256(index)] for index, item in enumerate(part.items)]
            for name, part in self.parts.items()
        }
        return {"rule": self.rule, "seed": self.seed, "warnings": list(self.warnings), "parts": parts}

    @property
    def sha256(self) -> str:
        """Hash of the manifest."""
        return hashlib.sha256(json.dumps(self.manifest, sort_keys=True).encode()).hexdigest()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the manifest as JSON, so that the same images can be split alike elsewhere."""
        from imagine_lib.storage.staging import write_atomically

        write_atomically(Path(path), json.dumps(self.manifest, indent=1, ensure_ascii=False).encode())
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], data: ImageSet) -> Split:
        """Split a set as a manifest says.

        Parameters
        ----------
        path
            What :meth:`save` wrote.
        data
            The same images, wherever they lie now; further ones are left out, and counted in ``warnings``.

        Returns
        -------
        Split

        Raises
        ------
        DataError
            The file is no manifest, or images are gone, changed or without a label.
        """
        from imagine_lib.data.split_manifest import read_split

        return read_split(path, data)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(part)} {name}" for name, part in self.parts.items())
        return f"<Split {self.rule}: {sizes}>"
