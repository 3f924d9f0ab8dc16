"""A file or folder as a visitor sees it, in the course of one WebDAV request."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from .conditions import check, check_if

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .homes import Node, Totals
    from .http import Request
    from .nodes import Record
    from .services import Services
    from .world import Spot, World

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~()@:,=!$*;")
_CONDITIONS = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If")


@dataclass
class Visit:
    """One request to one world."""

    services: Services
    request: Request
    world: World
    totals: dict[str, Totals] = field(default_factory=dict)
    headers: list[tuple[str, str]] = field(default_factory=list)
    """More headers for the answer."""

    def find(self, parts: Sequence[str]) -> Entry | None:
        """Return what a path leads to, None if nothing is there."""
        spot = self.world.spot(list(parts))
        node = self.world.node(spot)
        return Entry(self, tuple(parts), spot, node) if node else None

    def check_conditions(self, parts: Sequence[str]) -> None:
        """Raise 412 or 304 if the request's conditions do not hold for a path."""
        if not any(self.request.header(name) for name in _CONDITIONS):
            return
        entry = self.find(parts)
        check(self.request, entry.etag if entry else None, entry.modified if entry else 0)
        check_if(self.request, list(parts), self._etag_at)

    def _etag_at(self, parts: list[str]) -> str | None:
        depth = len(self.world.prefix)
        inside = parts[depth:] if tuple(parts[:depth]) == self.world.prefix else parts
        entry = self.find(inside)
        return entry.etag if entry else None


@dataclass
class Entry:
    """What a path leads to."""

    visit: Visit
    parts: tuple[str, ...]
    spot: Spot
    node: Node

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.node.is_folder

    @property
    def name(self) -> str:
        """Its name for the visitor."""
        return self.parts[-1] if self.parts else self.spot.path.rpartition("/")[2]

    @property
    def href(self) -> str:
        """Its address, percent-encoded in lower case as Nextcloud does."""
        path = "/" + "/".join(quoted(part) for part in (*self.visit.world.prefix, *self.parts))
        return path + "/" if self.is_folder else path

    @property
    def etag(self) -> str:
        """Its entity tag, without quotes."""
        return self.totals.etag if self.is_folder else self.node.etag

    @property
    def size(self) -> int:
        """Its bytes; a folder's are those of all that it holds."""
        return self.totals.size if self.is_folder else self.node.stat.st_size

    @property
    def modified(self) -> float:
        """Its modification time."""
        return self.node.stat.st_mtime_ns // 10**9

    @property
    def content_type(self) -> str:
        """Its media type, by the name's ending."""
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"

    @cached_property
    def totals(self) -> Totals:
        """What a folder holds."""
        return self.visit.services.homes.totals(self.node, self.visit.totals)

    @cached_property
    def record(self) -> Record:
        """Its record, made at first sight."""
        return self.visit.services.nodes.record(self.node)

    @cached_property
    def properties(self) -> dict[str, str]:
        """The properties that clients set on it."""
        return self.visit.services.nodes.properties(self.record)

    @property
    def full_id(self) -> str:
        """Its id, as ``OC-FileId`` has it."""
        return self.visit.services.nodes.full_id(self.record)

    def members(self) -> Iterator[Entry]:
        """Yield what lies in the folder."""
        for name, spot, node in self.visit.world.members(self.spot, self.node):
            yield Entry(self.visit, (*self.parts, name), spot, node)


def quoted(text: str) -> str:
    """Percent-encode a segment in lower-case hexadecimal digits."""
    if text.isalnum() and text.isascii():
        return text
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02x}" for byte in text.encode())
