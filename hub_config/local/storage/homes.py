"""The files on disk: ``data/USER/files/…``, ordinary files that an operator can look at.

Nothing is remembered about a file's state: every listing looks at the disk, so a file changed behind the server is
listed right. An entity tag is a digest of inode, size, modification time and change time; a folder's is a digest of
the tags below it, found by walking the tree (about 1 ms for 300 files), so it changes when anything below changes and
needs no bookkeeping that could go wrong. Two uploads can never share a tag: an upload's modification time gets the
wall clock's nanoseconds below its full second.

What is not a regular file or folder (symbolic links above all) does not exist here: it is neither listed nor
followed. Writes go to ``incoming/`` and are renamed into place, so a file is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import time
import unicodedata
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .names import usable

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Node:
    """A file or folder that was there a moment ago; ``path`` begins below its owner's home, which is ``""``."""

    owner: str
    path: str
    disk: str
    stat: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.stat.st_mode)

    @property
    def folder(self) -> str:
        """The path of the folder it lies in."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """Its last segment."""
        return self.path.rpartition("/")[2]

    @property
    def stamp(self) -> str:
        """What changes with the content and survives a rename."""
        return stamp(self.stat)

    @property
    def etag(self) -> str:
        """A file's entity tag."""
        return etag(self.stat)


@dataclass(frozen=True, slots=True)
class Totals:
    """What a folder holds, at any depth; ``etag`` is its entity tag."""

    size: int
    etag: str


class Homes:
    """All users' homes."""

    def __init__(self, state: Path, skeleton: Path | None) -> None:
        self._data = state / "data"
        self._incoming = state / "incoming"
        self._skeleton = skeleton
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._data.mkdir(parents=True, exist_ok=True)
        self._incoming.mkdir()

    def provide(self, owner: str) -> None:
        """Make the home of a new user, with the skeleton in it."""
        home = self._data / owner / "files"
        if home.is_dir():
            return
        home.parent.mkdir(exist_ok=True)
        with self.draft() as draft:
            if self._skeleton:
                _copy(str(self._skeleton), draft)
            else:
                draft.mkdir()
            draft.rename(home)

    def disk(self, owner: str, path: str) -> str:
        """Return where a path lies on disk, whether or not anything is there."""
        return str(self._data / owner / "files" / path)

    def find(self, owner: str, path: str) -> Node | None:
        """Look a path up, segment by segment, so that no link is ever followed."""
        disk = self.disk(owner, "")
        status = _look(disk)
        for name in path.split("/") if path else ():
            if status is None or not stat.S_ISDIR(status.st_mode):
                return None
            disk, status = _member(disk, name)
        return Node(owner, path, disk, status) if status else None

    def children(self, node: Node) -> list[Node]:
        """Return a folder's members by name."""
        prefix = f"{node.path}/" if node.path else ""
        return [
            Node(node.owner, prefix + unicodedata.normalize("NFC", entry.name), entry.path, status)
            for entry, status in _scan(node.disk)
        ]

    def totals(self, node: Node, known: dict[str, Totals]) -> Totals:
        """Walk a folder; ``known`` keeps what was found by disk path, for the next question of the same request."""
        return _totals(node.disk, node.stat, known)

    def depth(self, node: Node) -> int:
        """Count the levels of folders in a folder, itself included."""
        deepest, waiting = 0, [(node.disk, 1)] if node.is_folder else []
        while waiting:
            disk, level = waiting.pop()
            deepest = max(deepest, level)
            waiting += [(entry.path, level + 1) for entry, status in _scan(disk) if stat.S_ISDIR(status.st_mode)]
        return deepest

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """Lend a free path outside all homes; what is still there at the end is removed."""
        holder = Path(tempfile.mkdtemp(dir=self._incoming))
        try:
            yield holder / "draft"
        finally:
            shutil.rmtree(holder, ignore_errors=True)

    def copy(self, node: Node, target: Path) -> None:
        """Copy a file or a tree."""
        _copy(node.disk, target)

    def place(self, draft: Path | str, disk: str) -> None:
        """Rename a draft to its place; what was there is gone in the same moment, a folder just before."""
        if Path(disk).is_dir() or (Path(disk).exists() and Path(draft).is_dir()):
            with self.draft() as grave:
                Path(disk).rename(grave)
                try:
                    Path(draft).rename(disk)
                except OSError:
                    grave.rename(disk)
                    raise
        else:
            Path(draft).replace(disk)

    def remove(self, node: Node) -> None:
        """Remove a file or a tree: gone for clients at once, whatever the tree's size."""
        with self.draft() as grave:
            Path(node.disk).rename(grave)


def open_file(node: Node) -> tuple[IO[bytes], os.stat_result]:
    """Open a file for reading; the status is that of the opened file, which a later upload does not touch."""
    stream = os.fdopen(os.open(node.disk, os.O_RDONLY | os.O_NOFOLLOW), "rb")
    return stream, os.fstat(stream.fileno())


def stamp(status: os.stat_result) -> str:
    """Return what changes with a file's content and survives a rename."""
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"


def etag(status: os.stat_result) -> str:
    """Return the entity tag of a file with this status."""
    return hashlib.md5(f"{stamp(status)}-{status.st_ctime_ns}".encode(), usedforsecurity=False).hexdigest()


def set_time(disk: Path | str | int, seconds: int | None = None) -> None:
    """Set the modification time, with nanoseconds that no other upload has."""
    now = time.time_ns()
    fraction = now % 10**9
    moment = now if seconds is None else seconds * 10**9 + fraction
    os.utime(disk, ns=(now, moment))


def _look(disk: str) -> os.stat_result | None:
    try:
        status = os.lstat(disk)
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) else None


def _member(folder: str, name: str) -> tuple[str, os.stat_result | None]:
    """Look a name up as it is, then in the spelling of a disk that an operator filled from macOS."""
    disk = f"{folder}/{name}"
    status = _look(disk)
    decomposed = unicodedata.normalize("NFD", name)
    if status is None and decomposed != name:
        disk = f"{folder}/{decomposed}"
        status = _look(disk)
    return disk, status


def _scan(disk: str) -> list[tuple[os.DirEntry[str], os.stat_result]]:
    found = []
    with suppress(FileNotFoundError), os.scandir(disk) as entries:
        for entry in entries:
            if usable(entry.name):
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
                        found.append((entry, status))
    return sorted(found, key=lambda pair: pair[0].name)


def _totals(disk: str, status: os.stat_result, known: dict[str, Totals]) -> Totals:
    if disk in known:
        return known[disk]
    size, digest = 0, hashlib.md5(f"{status.st_ino}".encode(), usedforsecurity=False)
    for entry, member in _scan(disk):
        if stat.S_ISDIR(member.st_mode):
            below = _totals(entry.path, member, known)
            size, tag = size + below.size, below.etag
        else:
            size, tag = size + member.st_size, etag(member)
        digest.update(f"{entry.name}\0{tag}\0".encode())
    known[disk] = Totals(size, digest.hexdigest()[:13])
    return known[disk]


def _copy(source: str, target: Path) -> None:
    status = _look(source)
    if status is None:
        raise FileNotFoundError(source)
    if stat.S_ISDIR(status.st_mode):
        target.mkdir()
        for entry, _ in _scan(source):
            _copy(entry.path, target / entry.name)
    else:
        shutil.copyfile(source, target, follow_symlinks=False)
    set_time(target, int(status.st_mtime))
