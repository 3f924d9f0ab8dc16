"""Takes a folder's files out of the one archive that a Nextcloud streams them in.

The archive states a file's length only after its content, and the content is not compressed, so nothing in it marks
the end: general readers of archives refuse that. Here the listing knows each length, and the archive's checksum,
length and next mark prove it. What does not fit ends the reading; whoever asked fetches the rest file by file.
"""

from __future__ import annotations

import struct
import unicodedata
import zlib
from typing import TYPE_CHECKING

from imagine_lib.storage.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_HEADER = struct.Struct("<4s5H3L2H")
_FILE, _AFTER, _CENTRAL, _CENTRAL64, _END = b"PK\x03\x04", b"PK\x07\x08", b"PK\x01\x02", b"PK\x06\x06", b"PK\x05\x06"
_LENGTHS_AFTER = 0x08
_STORED, _DEFLATED = 0, 8
_WIDE = 0x0001
_OVERFLOW = 0xFFFFFFFF
_SPARE = 64
"""Bytes, with a thousandth of its length, by which content that cannot be compressed grows."""


class Archive:
    """Reads an archive as it arrives.

    Parameters
    ----------
    sizes
        Length in bytes of each file by its path below the folder.
    top
        The folder's name, which paths in the archive may begin with.
    take
        Given the path and the content of each file that has arrived whole and checked.
    """

    def __init__(self, sizes: dict[str, int], top: str, take: Callable[[str, bytes], None]) -> None:
        self._sizes, self._top, self._take = sizes, top, take
        self._buffer = bytearray()
        self._parsing = self._parse()
        self._wanted = next(self._parsing)
        self.complete = False
        """Whether its list of contents has been reached: there are no more files in it."""

    def feed(self, block: bytes) -> None:
        """Take a block of the archive.

        Raises
        ------
        Damaged
            It is no archive, or not of what the listing says.
        """
        self._buffer += block
        position = 0
        while not self.complete and len(self._buffer) - position >= self._wanted:
            part = bytes(memoryview(self._buffer)[position : position + self._wanted])
            position += self._wanted
            try:
                self._wanted = self._parsing.send(part)
            except StopIteration:
                self.complete = True
        del self._buffer[:position]
        if self.complete:
            self._buffer.clear()

    def _parse(self) -> Generator[int, bytes, None]:
        """Ask for so many bytes, and be sent them."""
        mark = yield 4
        while mark == _FILE:
            rest = yield _HEADER.size - 4
            _, _, flags, method, _, _, checksum, packed, size, name_length, extra_length = _HEADER.unpack(mark + rest)
            name = self._path((yield name_length) if name_length else b"")
            extra = (yield extra_length) if extra_length else b""
            if flags & _LENGTHS_AFTER:
                mark = yield from self._streamed(name, method)
                continue
            if _OVERFLOW in (packed, size):
                size, packed = struct.unpack_from("<2Q", _wide_lengths(extra))
            if size != self._listed(name) or packed > size + size // 1000 + _SPARE:
                raise Damaged
            content = _unpacked((yield packed) if packed else b"", method, size)
            if len(content) != size or zlib.crc32(content) != checksum:
                raise Damaged
            self._give(name, content)
            mark = yield 4
        if mark not in (_CENTRAL, _CENTRAL64, _END):
            raise Damaged

    def _streamed(self, name: str, method: int) -> Generator[int, bytes, bytes]:
        """Read a file whose lengths come after it, which has them from the listing."""
        if method != _STORED:
            raise Damaged
        size = self._listed(name)
        if size < 0:
            raise Damaged
        content = (yield size) if size else b""
        checksum = struct.pack("<L", zlib.crc32(content))
        found = yield 4
        if found != checksum and found == _AFTER:  # a mark that some writers put in front and others leave out
            found = yield 4
        if found != checksum:
            raise Damaged
        mark = yield from self._lengths(size)
        self._give(name, content)
        return mark

    def _lengths(self, size: int) -> Generator[int, bytes, bytes]:
        """Read the lengths after a file, in four bytes or in eight; return the next mark."""
        packed, stated = struct.unpack("<2L", (yield 8))
        if packed != size or stated not in (size, 0):
            raise Damaged
        if size and stated == size:
            return (yield 4)
        following = yield 4
        if not size and following.startswith(b"PK"):
            return following
        low, high = struct.unpack("<2L", following + (yield 4))
        if low != size or high:
            raise Damaged
        return (yield 4)

    def _listed(self, name: str) -> int:
        """Return a file's length in the listing, -1 if it is not in it; nothing else is held in memory."""
        return 0 if name.endswith("/") else self._sizes.get(name, -1)

    def _give(self, name: str, content: bytes) -> None:
        if not name.endswith("/"):
            self._take(name, content)

    def _path(self, raw: bytes) -> str:
        """Return a path as the listing has it, with a slash at the end for a folder."""
        name = unicodedata.normalize("NFC", raw.decode("utf-8", "replace")).lstrip("/")
        below = name.removeprefix(f"{self._top}/")
        if below != name and (below in self._sizes or below.endswith("/") or not below):
            return below or "/"
        return name


def _unpacked(content: bytes, method: int, size: int) -> bytes:
    """Return what a file holds, and no more than one byte more than it should."""
    if method == _STORED:
        return content
    if method != _DEFLATED:
        raise Damaged
    try:
        return zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(content, size + 1)
    except zlib.error as error:
        raise Damaged from error


def _wide_lengths(extra: bytes) -> bytes:
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        if kind == _WIDE and length >= 16:
            return extra[position + 4 : position + 4 + length]
        position += 4 + length
    raise Damaged
