"""Trained weights on this machine, and the proof that they are what they say they are."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from pydantic import Field

from imagine_lib.errors import ModelError, UsageError
from imagine_lib.wire import Sha256, Wire


class StoredWeights(Wire):
    """Trained weights on this machine, and where they come from."""

    path: Path = Field(exclude=True)
    """The safetensors file."""
    builder: str
    """The torchvision builder whose network they fill."""
    name: str
    """Torchvision's name for them, or the one that they were imported under."""
    source: str
    """Where they were fetched or imported from."""
    original_sha256: Sha256
    """Of the file that they were converted from."""
    sha256: Sha256
    """Of the safetensors file."""
    size: int = Field(ge=0)
    """Of the safetensors file, in bytes."""
    classes: int = Field(ge=1)
    """Number of classes of the head that they were trained with."""
    licence: str | None = None
    """What may be done with them; None where nobody said."""
    converted_by: str | None = None
    """Versions of the software that converted them; None where they are used as they came."""

    def __repr__(self) -> str:
        return f"<{self.name} of {self.builder}: {self.path}>"


def read_description(path: Path) -> StoredWeights:
    """Read the JSON beside a safetensors file.

    Raises
    ------
    ModelError
        It cannot be understood, or belongs to another file.
    """
    beside = path.with_suffix(".json")
    try:
        stored = StoredWeights.model_validate(json.loads(beside.read_bytes()) | {"path": path})
        whole = path.is_file() and path.stat().st_size == stored.size
    except (OSError, ValueError, TypeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it does not describe weights"
        raise ModelError(f"{beside} cannot be read ({what}): fetch or import the weights again.") from None
    if not whole:
        raise ModelError(f"{path} is not the file that {beside.name} describes: fetch or import the weights again.")
    return stored


def verify(stored: StoredWeights) -> None:
    """Refuse weights that were changed since they were stored.

    Raises
    ------
    ModelError
        The file does not have its hash, or cannot be read.
    """
    try:
        same = hash_file(stored.path) == stored.sha256
    except OSError as error:
        raise ModelError(f"{stored.path} cannot be read: {error.strerror}.") from None
    if not same:
        raise ModelError(
            f"{stored.path} was changed since it was stored (sha256 differs): fetch or import the weights again."
        )


def hash_file(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def matching_hash(path: Path, sha256: str | None) -> str:
    """Return the sha256 of a file, which must be the pinned one if there is one."""
    try:
        digest = hash_file(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from None
    if sha256 and digest != checked_sha256(sha256):
        raise ModelError(f"{path} is not the file that was meant: its sha256 is {digest} and not {sha256}.")
    return digest


def checked_sha256(sha256: str) -> str:
    """Return a sha256 as it is written here, lower case, and refuse what is none."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise UsageError(f"{sha256!r} is no sha256: one has 64 digits from 0 to 9 and a to f.")
    return sha256.lower()


def named_after(path: Path, digest: str) -> str:
    """Return a name for weights that were given none: the file's, told apart by the hash."""
    return f"{re.sub('[^A-Za-z0-9]+', '-', path.stem)[:80].strip('-') or 'weights'}-{digest[:8]}"
