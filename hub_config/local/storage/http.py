"""The request and the response as the rest of the server sees them: decoded, checked, bounded.

The path is taken from the raw request line, because the decoded one that WSGI passes can no longer tell ``%2F`` from
a separator. A body that a refusal left unread is read to its end in small pieces, so that the client sees the refusal
and not a broken connection.
"""

from __future__ import annotations

import http
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from .errors import Refused
from .names import segments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BLOCK = 1 << 18
"""Bytes read or sent at once."""
MAX_FORM = 1 << 20
"""Bytes of a form; more is no form."""
MAX_DRAINED = 1 << 30
"""Bytes of a refused body that are still read; beyond it the connection is closed."""


@dataclass
class Response:
    """An answer that is ready to be sent."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: Iterable[bytes] = ()

    @property
    def status_line(self) -> str:
        """Status and phrase."""
        return f"{self.status} {http.HTTPStatus(self.status).phrase}"


class Begun:
    """A body whose first block is made already; it can be closed, which a chain of iterators cannot."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._rest = iter(blocks)
        self._first: bytes | None = next(self._rest, b"")

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        first, self._first = self._first, None
        return next(self._rest) if first is None else first

    def close(self) -> None:
        """Let go of what the body is made from."""
        if isinstance(self._rest, Generator):
            self._rest.close()


class Request:
    """One request."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        self.user: str | None = None
        """Who signed in with it."""

    def header(self, name: str) -> str | None:
        """Return a header's value."""
        return self.environ.get("HTTP_" + name.upper().replace("-", "_"))

    @cached_property
    def parts(self) -> list[str]:
        """The decoded segments of the path."""
        return segments(self.environ["REQUEST_URI"])

    @cached_property
    def query(self) -> dict[str, str]:
        """The query's parameters."""
        return dict(parse_qsl(self.environ.get("QUERY_STRING", ""), keep_blank_values=True))

    @cached_property
    def form(self) -> dict[str, str]:
        """The parameters of a form body."""
        if (self.length or 0) > MAX_FORM:
            raise Refused(413, "The form is too large.")
        text = self.environ["wsgi.input"].read(MAX_FORM).decode("utf-8", "replace")
        return dict(parse_qsl(text, keep_blank_values=True))

    @property
    def length(self) -> int | None:
        """The body's length, None if it comes in chunks of no stated sum."""
        text = self.environ.get("CONTENT_LENGTH", "")
        if text.isdecimal():
            return int(text)
        return None if self.environ.get("wsgi.input_terminated") else 0

    @property
    def total(self) -> int | None:
        """The announced size of the whole file, of which the body may be a part."""
        text = self.header("OC-Total-Length") or ""
        return int(text) if text.isdecimal() else None

    def read(self, size: int) -> bytes:
        """Return the body's next bytes, at most ``size``; nothing at its end."""
        block: bytes = self.environ["wsgi.input"].read(size)
        return block

    @property
    def address(self) -> str:
        """The caller's IP address."""
        return str(self.environ.get("REMOTE_ADDR", ""))

    def drain(self) -> bool:
        """Read what is left of the body; False if that is too much."""
        stream, drained = self.environ["wsgi.input"], 0
        try:
            while block := stream.read(BLOCK):
                drained += len(block)
                if drained > MAX_DRAINED:
                    return False
        except (OSError, ValueError):
            return False
        return True
