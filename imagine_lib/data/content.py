"""Where the bytes of an image come from: a file, a member of an archive, or a region of an IFCB bin."""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 500_000_000
"""Bytes of an encoded image; more is an attack or no image."""

OPEN_ARCHIVES = 8
"""Archives kept open at once: reading a zip's directory anew for each of its images costs more than the images."""

DAMAGED = (
    *(EOFError, KeyError, NotImplementedError, OSError, RuntimeError, ValueError),
    *(lzma.LZMAError, struct.error, zipfile.BadZipFile, zlib.error),
)
"""What ``zipfile`` raises on a damaged, locked or hostile archive."""


class Content(Protocol):
    """The encoded bytes of one image."""

    def read(self) -> bytes:
        """Return the bytes.

        Raises
        ------
        DataError
            They cannot be read; the message is one sentence.
        """

    @property
    def place(self) -> str:
        """Where they lie, as an error or a table says it."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """An image file on this machine."""

    path: Path

    def read(self) -> bytes:
        """Return the file's bytes."""
        try:
            facts = self.path.stat()
            if not stat.S_ISREG(facts.st_mode):
                raise DataError(f"{self.path} is no file: it is left out.")
            if facts.st_size > LARGEST:
                raise DataError(f"{self.path} is larger than {LARGEST // 1_000_000} MB: it is left out.")
            return self.path.read_bytes()
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {(error.strerror or 'unknown error').lower()}.") from None

    @property
    def place(self) -> str:
        """The path."""
        return str(self.path)


@dataclass(frozen=True, slots=True)
class ArchiveContent:
    """An image in a zip archive, read without unpacking it."""

    archive: Path
    member: str
    limit: int = LARGEST
    """Bytes that it may unfold to; more is an attack or no image."""

    def read(self) -> bytes:
        """Return the member's bytes."""
        content = self.start(self.limit + 1)
        if len(content) > self.limit:
            raise DataError(f"{self.place} unfolds to more than {self.limit // 1_000_000} MB: it is left out.")
        return content

    def start(self, count: int) -> bytes:
        """Return the member's first bytes, no more than ``count``."""
        try:
            with _opened(self.archive, self.archive.stat().st_mtime_ns).open(self.member) as file:
                return file.read(count)
        except DAMAGED:
            raise DataError(f"{self.place} cannot be read: the archive is damaged or locked.") from None

    @property
    def place(self) -> str:
        """Archive and member."""
        return f"{self.archive}/{self.member}"


@dataclass(frozen=True, slots=True)
class RegionContent:
    """A rectangle of raw 8-bit grey pixels in a larger file, as in an IFCB ``.roi``."""

    path: Path
    start: int
    """Offset of the first pixel, in bytes."""
    width: int
    height: int

    def read(self) -> bytes:
        """Return the pixels as a binary PGM, so that they are decoded, hashed and shown like any other image."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                pixels = file.read(self.width * self.height)
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {(error.strerror or 'unknown error').lower()}.") from None
        if len(pixels) < self.width * self.height:
            raise DataError(f"{self.path} ends before the region at byte {self.start}: copy the bin again.")
        return b"P5 %d %d 255\n" % (self.width, self.height) + pixels

    @property
    def place(self) -> str:
        """File and offset."""
        return f"{self.path} at byte {self.start}"


@lru_cache(maxsize=OPEN_ARCHIVES)
def _opened(archive: Path, _changed: int) -> zipfile.ZipFile:
    """Open an archive, anew where it has changed since."""
    return zipfile.ZipFile(archive)
