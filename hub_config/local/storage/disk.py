"""Looking at the disk: what is there, its size and its entity tag, without ever following a link.

A folder's names are held at once, what the disk knows of each only while it is looked at: a folder of a hundred
thousand files takes some megabytes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from .names import usable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


MANY = 10_000
"""Members of a folder beyond which its entity tag trusts the folder's own times for the files in it."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a folder holds, at any depth; ``etag`` is its entity tag."""

    size: int
    etag: str


def look(path: str) -> os.stat_result | None:
    """Return the status of a regular file or a folder; None for anything else."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) else None


def member(folder: str, name: str) -> tuple[str, os.stat_result | None]:
    """Look a name up as it is, then in the spelling of a disk that an operator filled from macOS."""
    path = f"{folder}/{name}"
    status = look(path)
    decomposed = unicodedata.normalize("NFD", name)
    if status is None and decomposed != name:
        path = f"{folder}/{decomposed}"
        status = look(path)
    return path, status


def names(folder: str) -> list[str]:
    """Return the names of the files and folders in a folder, sorted."""
    return _kinds(folder)[0]


def scan(folder: str) -> Iterator[tuple[str, str, os.stat_result]]:
    """Yield name, path and status of what is in a folder."""
    for name in names(folder):
        path = f"{folder}/{name}"
        if status := look(path):
            yield name, path, status


def totals(folder: str, status: os.stat_result, known: dict[str, Totals]) -> Totals:
    """Walk a folder; ``known`` keeps what was found, by path."""
    if folder in known:
        return known[folder]
    members = names(folder)
    size, tag = 0, _Tag(status, len(members))
    for name in members:
        path = f"{folder}/{name}"
        found = look(path)
        if found is None:
            continue
        if stat.S_ISDIR(found.st_mode):
            below = totals(path, found, known)
            size += below.size
            tag.add_folder(name, below.etag)
        else:
            size += found.st_size
            tag.add_file(name, found)
    known[folder] = Totals(size, tag.text)
    return known[folder]


def folder_tag(folder: str, status: os.stat_result, known: dict[str, Totals]) -> str:
    """Return the same entity tag as ``totals``, in a large folder without looking at each file."""
    if folder in known:
        return known[folder].etag
    members, folders = _kinds(folder)
    if len(members) <= MANY:
        return totals(folder, status, known).etag
    tag = _Tag(status, len(members))
    for name in members:
        if name not in folders:
            tag.add_name(name)
        elif found := look(path := f"{folder}/{name}"):
            tag.add_folder(name, folder_tag(path, found, known))
    return tag.text


def copy(source: str, target: Path) -> None:
    """Copy a file or a tree with its modification times."""
    status = look(source)
    if status is None:
        raise FileNotFoundError(source)
    if stat.S_ISDIR(status.st_mode):
        target.mkdir()
        for name, path, _ in scan(source):
            copy(path, target / name)
    else:
        shutil.copyfile(source, target, follow_symlinks=False)
    set_time(target, int(status.st_mtime))


def remove(path: Path) -> None:
    """Remove a file or a tree, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def open_file(path: str) -> tuple[IO[bytes], os.stat_result]:
    """Open a file for reading; the status is that of the opened file, which a later upload does not touch."""
    stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb", buffering=0)
    return stream, os.fstat(stream.fileno())


def stamp(status: os.stat_result) -> str:
    """Return what changes with a file's content and survives a rename."""
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"


def etag(status: os.stat_result) -> str:
    """Return the entity tag of a file with this status."""
    return hashlib.md5(_state(status).encode(), usedforsecurity=False).hexdigest()


def set_time(path: Path | str | int, seconds: int | None = None) -> None:
    """Set the modification time, with nanoseconds that no other upload has."""
    now = time.time_ns()
    fraction = now % 10**9
    moment = now if seconds is None else seconds * 10**9 + fraction
    os.utime(path, ns=(now, moment))


class _Tag:
    """A folder's entity tag in the making."""

    def __init__(self, status: os.stat_result, count: int) -> None:
        self._is_large = count > MANY
        own = _state(status) if self._is_large else str(status.st_ino)
        self._digest = hashlib.md5(own.encode(), usedforsecurity=False)

    def add_file(self, name: str, status: os.stat_result) -> None:
        if self._is_large:
            self.add_name(name)
        else:
            self._digest.update(f"{name}\0{_state(status)}\0".encode())

    def add_name(self, name: str) -> None:
        self._digest.update(f"{name}\0\0".encode())

    def add_folder(self, name: str, tag: str) -> None:
        self._digest.update(f"{name}\0{tag}\0".encode())

    @property
    def text(self) -> str:
        return self._digest.hexdigest()[:13]


def _kinds(folder: str) -> tuple[list[str], set[str]]:
    """Return the names of the files and folders in a folder, sorted, and which of them are folders."""
    found: list[str] = []
    folders: set[str] = set()
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                found.append(entry.name)
            elif entry.is_dir(follow_symlinks=False):
                found.append(entry.name)
                folders.add(entry.name)
    if found and not usable("".join(found)):
        found = [name for name in found if usable(name)]
    found.sort()
    return found, folders


def _state(status: os.stat_result) -> str:
    return f"{stamp(status)}-{status.st_ctime_ns}"
