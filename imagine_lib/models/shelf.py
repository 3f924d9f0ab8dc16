"""The folders that keep trained weights: each a ``.safetensors`` with a JSON beside it that says what it is.

``IMAGINE_WEIGHTS`` lists them; the first is written to, the others (of an image, of the group) are only read.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from imagine_lib.errors import ModelError, UsageError
from imagine_lib.models.stored import StoredWeights, read_description, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "IMAGINE_WEIGHTS"
DEFAULT_FOLDER = "~/.cache/imagine/weights"
SCRATCH = ".writing-"
LOCK = ".lock"


def folders() -> list[Path]:
    """Return the folders that keep weights; the first is written to."""
    named = [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part.strip()]
    return [Path(part).expanduser() for part in named or [DEFAULT_FOLDER]]


def read_stored(builder: str, name: str) -> StoredWeights | None:
    """Look for weights in the folders and verify them.

    Parameters
    ----------
    builder
        A torchvision builder's name.
    name
        The weights' own; never ``default``.

    Returns
    -------
    StoredWeights or None
        None where no folder holds them.

    Raises
    ------
    ModelError
        They were changed since they were stored.
    """
    for folder in folders():
        path = _path(folder, builder, name)
        if path.exists() and path.with_suffix(".json").exists():
            stored = read_description(path)
            verify(stored)
            return stored
    return None


def list_stored() -> list[StoredWeights]:
    """Return what the folders hold, sorted by builder and name, without reading the weights themselves.

    What lies in two folders is returned once, from the first. A damaged entry is left out with a warning.
    """
    found: dict[tuple[str, str], StoredWeights] = {}
    for folder in folders():
        for beside in sorted(folder.glob("*.json")):
            try:
                stored = read_description(beside.with_suffix(".safetensors"))
            except ModelError as error:
                warnings.warn(str(error), stacklevel=2)
            else:
                found.setdefault((stored.builder, stored.name), stored)
    return [found[key] for key in sorted(found)]


@contextmanager
def writing() -> Iterator[Path]:
    """Give an empty folder beside the weights, to one program at a time; it is gone afterwards.

    Raises
    ------
    ModelError
        The first folder cannot be written, or the disk is full.
    """
    folder = folders()[0]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            for left in folder.glob(f"{SCRATCH}*"):  # of a program that was killed: no other can be at work here
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix=SCRATCH) as scratch:
                yield Path(scratch)
    except OSError as error:
        raise ModelError(
            f"Weights cannot be written to {folder} ({error.strerror or error}): free some space, or name a folder "
            f"of yours first in {VARIABLE}."
        ) from None


def put(scratch: Path, stored: StoredWeights) -> StoredWeights:
    """Move a finished safetensors file to its place; the JSON comes last and makes it count.

    Parameters
    ----------
    scratch
        The folder that :func:`writing` gave.
    stored
        Describes the file, whose ``path`` is in ``scratch``.

    Returns
    -------
    StoredWeights
        With the ``path`` where it lies now.
    """
    target = _path(scratch.parent, stored.builder, stored.name)
    beside = scratch / "description.json"
    beside.write_text(stored.model_dump_json(indent=1) + "\n", encoding="utf-8")
    target.with_suffix(".json").unlink(missing_ok=True)
    stored.path.replace(target)
    beside.replace(target.with_suffix(".json"))
    return stored.model_copy(update={"path": target})


def require_name(name: str) -> str:
    """Return a name that may be part of a file's name.

    Raises
    ------
    UsageError
        It may not.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name) or name.lower() == "default":
        raise UsageError(f"{name!r} cannot be a name of weights: give letters, digits and . _ - (--name).")
    return name


def _path(folder: Path, builder: str, name: str) -> Path:
    return folder / f"{require_name(builder)}-{require_name(name)}.safetensors"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one program at a time write into a folder."""
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another of your programs stores weights now; waiting for it", file=sys.stderr)  # noqa: T201
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
