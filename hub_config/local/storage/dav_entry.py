"""A file or folder as a visitor sees it, in the course of one WebDAV request."""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from .conditions import check, check_if

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .disk import Totals
    from .homes import Node
    from .http import Request
    from .nodes import Record
    from .services import Services
    from .world import Spot, World

_PLAIN_TEXT = re.compile(r"[A-Za-z0-9\-._~()@:,=!$*;]*")
_PLAIN = frozenset(byte for byte in range(128) if _PLAIN_TEXT.fullmatch(chr(byte)))
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
        self.check_if(parts)

    def check_if(self, parts: Sequence[str]) -> None:
        """Raise 412 if WebDAV's ``If`` does not hold; what it names no address for is about ``parts``."""
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
        *above, name = (*self.visit.world.prefix, *self.parts)
        return f"{_address(tuple(above))}{quoted(name)}{'/' if self.is_folder else ''}"

    @property
    def etag(self) -> str:
        """Its entity tag, without quotes."""
        if not self.is_folder:
            return self.node.etag
        return self.visit.services.homes.tag(self.node, self.visit.totals)

    @property
    def size(self) -> int:
        """Its bytes; a folder's are those of all that it holds."""
        if not self.is_folder:
            return self.node.stat.st_size
        return self.visit.services.homes.totals(self.node, self.visit.totals).size

    @property
    def modified(self) -> float:
        """Its modification time."""
        return self.node.stat.st_mtime_ns // 10**9

    @property
    def content_type(self) -> str:
        """Its media type, by the name's ending."""
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"

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
        world = self.visit.world
        for name in world.names(self.spot, self.node):
            if found := world.member(self.spot, self.node, name):
                spot, node = found
                yield Entry(self.visit, (*self.parts, name if spot.is_mount else node.name), spot, node)


def quoted(text: str) -> str:
    """Percent-encode a segment in lower-case hexadecimal digits."""
    if _PLAIN_TEXT.fullmatch(text):
        return text
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02x}" for byte in text.encode())


@lru_cache(maxsize=1024)
def _address(parts: tuple[str, ...]) -> str:
    return "/" + "".join(f"{quoted(part)}/" for part in parts)
