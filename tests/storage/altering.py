"""Answers of a server, altered on their way through a passage."""

from __future__ import annotations

import contextlib
import gzip
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.storage.passage import Passage

_RESPONSE = re.compile(rb"<d:response>.*?</d:response>", re.DOTALL)
_HREF = re.compile(rb"<d:href>(.*?)</d:href>")


@contextlib.contextmanager
def answers(
    passage: Passage,
    method: str,
    alter: Callable[[str, bytes], int | bytes],
    headers: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Give other answers to some requests: another body, or a status without one."""
    honest = passage._pass

    def lie(handler, body: bytes):
        status, kept, content = honest(handler, body)
        asked = all(handler.headers.get(name) == value for name, value in (headers or {}).items())
        if handler.command != method or not asked or status >= 300:
            return status, kept, content
        if ("content-encoding", "gzip") in [(name.lower(), value) for name, value in kept]:
            content = gzip.decompress(content)
        plain = [(name, value) for name, value in kept if name.lower() not in {"content-encoding", "content-length"}]
        told = alter(unquote(handler.path), content)
        return (told, plain, b"") if isinstance(told, int) else (status, plain, told)

    passage._pass = lie
    try:
        yield
    finally:
        passage._pass = honest


def without(*paths: str) -> Callable[[str, bytes], bytes]:
    """Leave some paths out of a listing."""

    def alter(_: str, body: bytes) -> bytes:
        def keep(match: re.Match[bytes]) -> bytes:
            href = unquote(_HREF.search(match[0])[1].decode()).rstrip("/")
            return b"" if href.endswith(paths) else match[0]

        return _RESPONSE.sub(keep, body)

    return alter
