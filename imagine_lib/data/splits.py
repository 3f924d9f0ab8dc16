"""A split: which images are to learn from, which to choose and calibrate with, and which to be judged by."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagine_lib.data.images import content_hash

if TYPE_CHECKING:
    import os

    from imagine_lib.data.imageset import ImageItem, ImageSet

FOUR = ("train", "select", "calibrate", "test")
THREE = ("train", "select", "test")


def truth_of(item: ImageItem) -> str | None:
    """Return the class of an image, or the SHA-256 of its mask or of its boxes; None where nothing is known."""
    if item.mask is not None:
        return content_hash(item.mask)
    if item.boxes is not None:
        return hashlib.sha256(json.dumps(sorted(map(astuple, item.boxes))).encode()).hexdigest()
    return item.label


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

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Which image is where: for each part the name of each image, its SHA-256, and what is to be learned of it.

        The hash is null where the image cannot be read; what is to be learned is as :func:`truth_of` says it.
        """
        parts = {
            name: [[item.name, part.looks.sha256(index), truth_of(item)] for index, item in enumerate(part.items)]
            for name, part in self.parts.items()
        }
        return {"rule": self.rule, "seed": self.seed, "warnings": list(self.warnings), "parts": parts}

    @property
    def sha256(self) -> str:
        """Hash of the manifest: of the same images with other labels it is another."""
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
            The file is no manifest, or images are gone, changed, or have another label, boxes or mask.
        """
        from imagine_lib.data.split_manifest import read_split

        return read_split(path, data)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(part)} {name}" for name, part in self.parts.items())
        return f"<Split {self.rule}: {sizes}>"
