"""The body of a bulk upload, read part by part without ever holding one.

Each part says its length, so its end needs no search. General parsers look for the boundary in every byte and expect
ASCII in the headers; here paths come as plain UTF-8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import Refused
from .http import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_LINE = 16 * 1024
MAX_HEADERS = 32
_BOUNDARY = re.compile(
    r'multipart/related\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE
)


class Stream:
    """The body as lines and as blocks, whichever is asked for next."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._ahead = b""
        self._position = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most ``size``; nothing at the end."""
        if self._position == len(self._ahead):
            return self._read(size)
        block = self._ahead[self._position : self._position + size]
        self._position += len(block)
        return block

    def line(self) -> bytes:
        """Return the next line without its end.

        Raises
        ------
        Refused
            400: the body is at its end, or the line is too long.
        """
        while (end := self._ahead.find(b"\n", self._position)) < 0:
            rest = self._ahead[self._position :]
            more = self._read(MAX_LINE) if len(rest) < MAX_LINE else b""
            if not more:
                break
            self._ahead, self._position = rest + more, 0
        stop = len(self._ahead) if end < 0 else end + 1
        line = self._ahead[self._position : stop]
        self._position = stop
        if not line or len(line) > MAX_LINE:
            raise Refused(400, "The body ends too early, or a header is too long.")
        return line.rstrip(b"\r\n")


@dataclass
class Part:
    """One part, whose body is read from the stream when it is asked for."""

    headers: dict[str, str]
    length: int
    _stream: Stream
    _rest: int

    def read(self, size: int) -> bytes:
        """Return the body's next bytes, at most ``size``; nothing at its end."""
        block = self._stream.read(min(size, self._rest))
        self._rest -= len(block)
        return block

    def skip(self, digest: Any = None) -> None:
        """Pass over what nobody has read of the body, through a hash object if there is one."""
        while block := self.read(BLOCK):
            if digest:
                digest.update(block)

    @property
    def is_read(self) -> bool:
        """Whether the whole body has come."""
        return self._rest == 0


def boundary(content_type: str) -> bytes:
    """Return the boundary that a ``Content-Type`` names.

    Raises
    ------
    Refused
        400: it is not ``multipart/related`` with a boundary.
    """
    match = _BOUNDARY.match(content_type)
    if match is None:
        raise Refused(400, "The Content-Type must be multipart/related with a boundary.")
    return (match[1] or match[2]).encode("latin-1")


def parts(stream: Stream, mark: bytes) -> Iterator[Part]:
    """Yield the parts of a body; each must be read or skipped before the next is asked for.

    Raises
    ------
    Refused
        400: the body is not made as it should be; 411: a part does not say its length.
    """
    line = stream.line()
    while line == b"":
        line = stream.line()
    while line == b"--" + mark:
        part = _part(stream)
        yield part
        part.skip()
        if not part.is_read or stream.line() != b"":
            raise Refused(400, "A part is not as long as it says.")
        line = stream.line()
    if line != b"--" + mark + b"--":
        raise Refused(400, "There is no boundary where one should be.")


def _part(stream: Stream) -> Part:
    headers: dict[str, str] = {}
    while line := stream.line():
        name, colon, value = line.partition(b":")
        if not colon or len(headers) >= MAX_HEADERS:
            raise Refused(400, "The headers of a part cannot be read.")
        try:
            headers[name.decode("ascii").strip().lower()] = value.decode().strip()
        except UnicodeDecodeError:
            raise Refused(400, "The headers of a part are not UTF-8.") from None
    length = headers.get("content-length", "")
    if not length.isdecimal():
        raise Refused(411, "The Content-Length header must not be null.")
    return Part(headers, int(length), stream, int(length))
