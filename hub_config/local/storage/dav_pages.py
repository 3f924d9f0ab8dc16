"""Listings in pages: the first request takes down what there is, the later ones read on from it by a token.

What is kept are names alone; what is told of each is looked up when its page is sent. A name that was removed
meanwhile is left out of its page.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .accounts import random_text
from .errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .dav_entry import Entry

KEPT_SECONDS = 3600
MAX_NAMES = 1_000_000
"""Names in all listings that are kept; beyond it the oldest listing goes."""
USUAL_COUNT = 100


@dataclass(frozen=True)
class Listing:
    """What a visitor was told there is: paths below the folder, ``""`` being the folder itself."""

    about: tuple[object, ...]
    paths: list[str]
    made: float


class Listings:
    """The listings that someone may still read on from."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Listing] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, token: str | None, about: tuple[object, ...]) -> list[str] | None:
        """Return a listing, None if it is not known or about something else."""
        with self._lock:
            listing = self._kept.get(token or "")
        if listing is None or listing.about != about or time.monotonic() - listing.made > KEPT_SECONDS:
            return None
        return listing.paths

    def keep(self, about: tuple[object, ...], paths: list[str]) -> str:
        """Keep a listing, and return its token."""
        token = random_text(32)
        with self._lock:
            self._kept[token] = Listing(about, paths, time.monotonic())
            while len(self._kept) > 1 and sum(len(listing.paths) for listing in self._kept.values()) > MAX_NAMES:
                self._kept.popitem(last=False)
        return token


def page(entry: Entry, depth: str) -> tuple[Iterator[Entry], list[tuple[str, str]]] | None:
    """Return the entries of the page that the request asks for, and its headers; None if it asks for no page.

    Raises
    ------
    Refused
        400: count or offset is no number.
    """
    request, listings = entry.visit.request, entry.visit.services.listings
    if request.header("X-NC-Paginate") is None:
        return None
    count = _number(request.header("X-NC-Paginate-Count"), USUAL_COUNT) or USUAL_COUNT
    offset = _number(request.header("X-NC-Paginate-Offset"), 0)
    about = (entry.visit.world.visitor, entry.visit.world.prefix, entry.parts, depth)
    headers = [("X-NC-Paginate", "true")]
    paths = listings.get(request.header("X-NC-Paginate-Token"), about)
    if paths is None:
        paths = ["", *_below(entry, depth)]
        token = listings.keep(about, paths)
        headers += [("X-NC-Paginate-Token", token), ("X-NC-Paginate-Total", str(len(paths)))]
    return _found(entry, paths[offset : offset + count]), headers


def _below(entry: Entry, depth: str) -> Iterator[str]:
    if depth == "0" or not entry.is_folder:
        return
    if depth == "1":
        yield from entry.visit.world.names(entry.spot, entry.node)
        return
    for member in entry.members():
        yield member.name
        for path in _below(member, depth):
            yield f"{member.name}/{path}"


def _found(entry: Entry, paths: list[str]) -> Iterator[Entry]:
    for path in paths:
        found = entry.visit.find([*entry.parts, *path.split("/")]) if path else entry
        if found:
            yield found


def _number(header: str | None, usual: int) -> int:
    if header is None:
        return usual
    if not header.isdecimal():
        raise Refused(400, "The count and the offset of a page must be whole numbers.")
    return int(header)
