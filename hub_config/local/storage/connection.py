"""Reading from and writing to a client's socket.

Cheroot does both through Python's own model of the ``io`` module, which copies every block several times and takes
longer for the head of a request than this server takes to answer it. This does what Cheroot needs of it, and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cheroot.server import HTTPConnection, HTTPServer

if TYPE_CHECKING:
    import socket

_AHEAD = 16 * 1024


class _Reader:
    """What comes from a client, as lines and as blocks."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._ahead = b""
        self._position = 0
        self.bytes_read = 0
        self.closed = False

    def has_data(self) -> bool:
        """Tell whether something has come that was not asked for yet."""
        return self._position < len(self._ahead)

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer only where the client has ended."""
        first = self._ahead[self._position : self._position + size]
        self._position += len(first)
        blocks, missing = [first], size - len(first)
        while missing and (block := self._socket.recv(missing)):
            self.bytes_read += len(block)
            missing -= len(block)
            blocks.append(block)
        return b"".join(blocks)

    def readline(self, size: int = -1) -> bytes:
        """Return a line with its end; a part of it where it is longer than ``size``, or the client has ended."""
        limit = size if size >= 0 else float("inf")
        while (end := self._ahead.find(b"\n", self._position)) < 0:
            rest = self._ahead[self._position :]
            more = self._socket.recv(_AHEAD) if len(rest) < limit else b""
            if not more:
                end = len(self._ahead) - 1
                break
            self.bytes_read += len(more)
            self._ahead, self._position = rest + more, 0
        stop = end + 1 if size < 0 else min(end + 1, self._position + size)
        line = self._ahead[self._position : stop]
        self._position = stop
        return line

    def close(self) -> None:
        """Read no more."""
        self.closed = True


class _Writer:
    """What goes to a client, at once and from where it lies."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.bytes_written = 0

    def write(self, block: bytes) -> int:
        self._socket.sendall(block)
        self.bytes_written += len(block)
        return len(block)


class Connection(HTTPConnection):
    """A client's connection."""

    def __init__(self, server: HTTPServer, sock: socket.socket, _: Any = None) -> None:
        super().__init__(server, sock, _file)


def _file(sock: socket.socket, mode: str, _: int) -> _Reader | _Writer:
    return _Reader(sock) if "r" in mode else _Writer(sock)
