"""What is to be stored: bytes in memory or a file on disk, read as often as a repeated request needs it."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

BLOCK = 1024**2
"""Bytes read at once."""
DAY = 86400


@dataclass(frozen=True)
class Content:
    """Bytes of known length, and where they come from."""

    source: bytes | Path
    size: int
    mtime: int | None = None
    """Seconds since 1970, None: now. A Nextcloud takes none of the first day."""
    stamp: str = field(default="", compare=False)
    """Changes whenever the file does: its inode, size and times."""

    @classmethod
    def of(cls, source: bytes | Path) -> Content:
        """Describe bytes, or a file as it is now.

        Raises
        ------
        StorageError
            The file cannot be read.
        """
        if isinstance(source, bytes):
            return cls(source, len(source))
        try:
            status = source.stat()
        except OSError as error:
            raise _unreadable(source, error) from None
        mtime = int(status.st_mtime)
        stamp = f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
        return cls(source, status.st_size, mtime if mtime >= DAY else None, stamp)

    @property
    def identity(self) -> str:
        """Tells this content from any other, also after a crash and without reading a file of a terabyte."""
        if isinstance(self.source, bytes):
            return hashlib.sha256(self.source).hexdigest()
        return f"{self.source.absolute()} {self.stamp}"

    def digest(self, name: str = "sha256") -> str:
        """Return the whole content's checksum; to be called in a thread where the content is large."""
        if isinstance(self.source, bytes):
            return hashlib.new(name, self.source, usedforsecurity=False).hexdigest()
        try:
            with self.source.open("rb") as file:
                return hashlib.file_digest(file, lambda: hashlib.new(name, usedforsecurity=False)).hexdigest()
        except OSError as error:
            raise _unreadable(self.source, error) from None

    def read(self) -> bytes:
        """Return all of it.

        Raises
        ------
        StorageError
            The file cannot be read, or is another one by now.
        """
        if isinstance(self.source, bytes):
            return self.source
        try:
            found = self.source.read_bytes()
        except OSError as error:
            raise _unreadable(self.source, error) from None
        self.require_unchanged()
        return found

    def blocks(
        self, start: int = 0, end: int | None = None, hashed: Callable[[str], None] | None = None
    ) -> Callable[[], AsyncIterator[bytes]]:
        """Return what yields a part of it, block by block.

        Parameters
        ----------
        start, end
            Of the part.
        hashed
            Told the part's SHA-256, computed while the blocks are on their way.
        """

        async def iterate() -> AsyncIterator[bytes]:
            digest = hashlib.sha256()
            for block in self._blocks(start, self.size if end is None else end):
                hashing = asyncio.create_task(asyncio.to_thread(digest.update, block)) if hashed else None
                yield block
                if hashing:
                    await hashing
            if hashed:
                hashed(digest.hexdigest())

        return iterate

    def _blocks(self, start: int, end: int) -> Iterator[bytes]:
        if isinstance(self.source, bytes):
            for position in range(start, end, BLOCK):
                yield self.source[position : min(position + BLOCK, end)]
            return
        try:
            with self.source.open("rb", buffering=0) as file:
                file.seek(start)
                while start < end and (block := file.read(min(BLOCK, end - start))):
                    start += len(block)
                    if start >= end:  # before the last block goes: what has all of it is stored
                        self.require_unchanged()
                    yield block
        except OSError as error:
            raise _unreadable(self.source, error) from None
        if start < end:
            self.require_unchanged()

    def require_unchanged(self) -> None:
        """Look whether the file is still what was described.

        Raises
        ------
        StorageError
            It is not.
        """
        if not isinstance(self.source, bytes) and Content.of(self.source).stamp != self.stamp:
            raise StorageError(f"{self.source} changed while it was read; nothing was stored, try again.")


def _unreadable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path} cannot be read ({error.strerror}); nothing was stored.")
