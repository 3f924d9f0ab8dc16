"""Unfinished uploads: ``uploads/USER/UPLOAD/CHUNK``, kept over restarts so that a client can go on with them.

A chunk is there whole or not at all. Uploads that nobody touched for a day are swept away: at the start, and at most
once an hour when a new one begins.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import disk
from .errors import Refused
from .http import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .homes import Homes

LIFETIME = 24 * 3600
SWEEP_PAUSE = 3600


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a file that is being uploaded."""

    name: str
    path: str
    stat: os.stat_result


@dataclass(frozen=True)
class Upload:
    """One unfinished upload with its chunks in their order."""

    folder: Path
    chunks: list[Chunk]

    @property
    def size(self) -> int:
        """Bytes of all chunks."""
        return sum(chunk.stat.st_size for chunk in self.chunks)

    @property
    def etag(self) -> str:
        """The entity tag of the file that the chunks would make."""
        tags = "".join(disk.etag(chunk.stat) for chunk in self.chunks)
        return hashlib.md5(tags.encode(), usedforsecurity=False).hexdigest()

    def chunk(self, name: str) -> Chunk | None:
        """Return a chunk by its name."""
        return next((chunk for chunk in self.chunks if chunk.name == name), None)

    def assemble(self, draft: Path, digest: Any = None) -> None:
        """Make the chunks a draft, one after the other, through a hash object if there is one.

        A single chunk is the file already, and is not copied.
        """
        if len(self.chunks) == 1:
            os.link(self.chunks[0].path, draft, follow_symlinks=False)
            for block in self._blocks() if digest else ():
                digest.update(block)
            return
        with draft.open("xb") as target:
            for block in self._blocks():
                target.write(block)
                if digest:
                    digest.update(block)
            target.flush()
            os.fsync(target.fileno())

    def _blocks(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            stream, _ = disk.open_file(chunk.path)
            with stream:
                while block := stream.read(BLOCK):
                    yield block


class Uploads:
    """All users' unfinished uploads."""

    def __init__(self, state: Path, homes: Homes) -> None:
        self._root = state / "uploads"
        self._root.mkdir(exist_ok=True)
        self._homes = homes
        self._lock = threading.Lock()
        self._swept = float("-inf")
        self._sweep()

    def begin(self, owner: str, name: str) -> None:
        """Begin an upload.

        Raises
        ------
        Refused
            405: there is one of this name.
        """
        self._sweep()
        folder = self._root / owner / name
        folder.parent.mkdir(exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError:
            raise Refused(405, "The resource you tried to create already exists") from None

    def folder(self, owner: str, name: str) -> Path:
        """Return where the chunks of an upload lie.

        Raises
        ------
        Refused
            404: there is none of this name.
        """
        folder = self._root / owner / name
        if not folder.is_dir():
            raise Refused(404, f"File with name {name} could not be located")
        return folder

    def get(self, owner: str, name: str) -> Upload:
        """Return an upload with what has arrived of it.

        Raises
        ------
        Refused
            404: there is none of this name.
        """
        folder = self.folder(owner, name)
        found = [Chunk(*found) for found in disk.scan(str(folder))]
        return Upload(folder, sorted(found, key=lambda chunk: natural(chunk.name)))

    def end(self, upload: Upload) -> None:
        """Remove an upload with all its chunks."""
        with self._homes.draft() as grave:
            upload.folder.rename(grave)

    def _sweep(self) -> None:
        with self._lock:
            if time.monotonic() - self._swept < SWEEP_PAUSE:
                return
            self._swept = time.monotonic()
        for owner in disk.names(str(self._root)):
            for _, path, status in disk.scan(str(self._root / owner)):
                if time.time() - status.st_mtime > LIFETIME:
                    shutil.rmtree(path, ignore_errors=True)


def natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts ``2`` before ``10``."""
    return [(int(part) if part.isdecimal() else -1, part) for part in re.split(r"(\d+)", name)]
