"""Answers kept in a folder while they are made, so that a broken run goes on where it was.

``predictions.json`` says of which model and which images; each chunk is one safetensors file, written whole or not at
all, with a hash over its content and over the sizes of its images. What does not fit is made anew.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy
from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open

from imagine_lib.data.content import ArchiveContent, FileContent, RegionContent
from imagine_lib.errors import StorageError, UsageError
from imagine_lib.prediction.streaming import Chunk
from imagine_lib.storage.staging import write_atomically
from imagine_lib.wire import Sha256, Wire

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from imagine_lib.data.content import Content
    from imagine_lib.data.imageset import ImageItem

INDEX = "predictions.json"


class Index(Wire):
    """The content of ``predictions.json``."""

    model: str
    """What it was called."""
    model_sha256: Sha256
    preprocessing: Sha256
    images: int = Field(ge=0)
    images_sha256: Sha256
    """Over the names of all images, in order."""
    step: int = Field(ge=1)
    """Images in a chunk."""
    threshold: float | None = None
    """What the answers leave out is less probable than this; None where they leave out nothing."""


class KeptAnswers:
    """The chunks of one folder.

    Parameters
    ----------
    folder
        Where; it is made where it does not exist.
    items
        The images.
    model, model_sha256, preprocessing
        What answers.
    step
        Images in a chunk, of a new folder.
    threshold
        What the answers leave out is less probable than this; None where they leave out nothing.

    Raises
    ------
    UsageError
        The folder holds other files, or answers of another model, to other images or at another threshold.
    StorageError
        It cannot be read or written.
    """

    def __init__(
        self,
        folder: Path,
        items: Sequence[ImageItem],
        model: str,
        model_sha256: str,
        preprocessing: str,
        step: int,
        threshold: float | None = None,
    ) -> None:
        self.folder = folder
        self._items = items
        self.answered = 0
        """Images whose answers are here."""
        wanted = Index(
            model=model,
            model_sha256=model_sha256,
            preprocessing=preprocessing,
            images=len(items),
            images_sha256=_names_hash(items),
            step=step,
            threshold=threshold,
        )
        self.step = self._open(wanted).step

    def load(self, start: int) -> Chunk | None:
        """Return the chunk that begins at a position; None where it is missing, damaged or of images that changed."""
        try:
            with safe_open(self._path(start), "numpy") as file:
                facts = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        except (OSError, SafetensorError):
            return None
        errors = facts.get("errors", "")
        if facts.get("sha256") != self._hash(start, arrays, errors):
            return None
        self.answered += len(self._piece(start))
        return Chunk(arrays, {int(position): message for position, message in json.loads(errors).items()})

    def save(self, start: int, chunk: Chunk) -> None:
        """Keep a chunk.

        Raises
        ------
        StorageError
            The disk is full; what was there is still there.
        """
        errors = json.dumps(chunk.errors)
        facts = {"errors": errors, "sha256": self._hash(start, chunk.arrays, errors)}
        content = safetensors.numpy.save(chunk.arrays, facts)
        try:
            write_atomically(self._path(start), content)
        except OSError as error:
            raise StorageError(
                f"The answers could not be kept in {self.folder} ({(error.strerror or str(error)).lower()}); "
                f"those to {self.answered:,} of {len(self._items):,} images are there: "
                "free some disk space and ask again with the same folder."
            ) from None
        self.answered += len(self._piece(start))

    def _open(self, wanted: Index) -> Index:
        """Return what the folder's index says, after it is known to fit; a new folder gets one."""
        path = self.folder / INDEX
        try:
            if path.exists():
                return self._checked(Index.model_validate_json(path.read_bytes()), wanted)
            if self.folder.exists() and any(self.folder.iterdir()):
                raise UsageError(f"{self.folder} holds other files: give a folder that is new or empty.")
            write_atomically(path, (wanted.model_dump_json(indent=1) + "\n").encode())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StorageError(f"Answers cannot be kept in {self.folder} ({reason}): give another folder.") from None
        except ValidationError:
            raise UsageError(f"{path} cannot be understood: give another folder, or delete this one.") from None
        return wanted

    def _checked(self, found: Index, wanted: Index) -> Index:
        way_out = "give another folder, or delete this one"
        if (found.model_sha256, found.preprocessing) != (wanted.model_sha256, wanted.preprocessing):
            raise UsageError(f"{self.folder} keeps the answers of another model ({found.model}): {way_out}.")
        if found.images_sha256 != wanted.images_sha256:
            raise UsageError(
                f"{self.folder} keeps the answers to other images ({found.images:,} of them): {way_out}."
            )
        if found.threshold != wanted.threshold:
            raise UsageError(
                f"{self.folder} keeps what was found with the threshold {found.threshold}, and not with "
                f"{wanted.threshold}: {way_out}."
            )
        for left in self.folder.glob(".writing-*"):
            with suppress(OSError):
                left.unlink()
        return found

    def _path(self, start: int) -> Path:
        return self.folder / f"answers-{start:08}.safetensors"

    def _piece(self, start: int) -> Sequence[ImageItem]:
        return self._items[start : start + self.step]

    def _hash(self, start: int, arrays: dict[str, NDArray[Any]], errors: str) -> str:
        sizes = json.dumps([_size(item.content) for item in self._piece(start)])
        digest = hashlib.sha256(f"{sizes}\n{errors}\n".encode())
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(array.data)
        return digest.hexdigest()


def _names_hash(items: Sequence[ImageItem]) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(item.name.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def _size(content: Content) -> list[int]:
    """Return what tells cheaply that an image is no longer what it was: the size of its file, and its place in it."""
    match content:
        case FileContent(path):
            return [_bytes(path)]
        case RegionContent(path, start, width, height):
            return [_bytes(path), start, width, height]
        case ArchiveContent(archive):
            return [_bytes(archive)]
    return []


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
