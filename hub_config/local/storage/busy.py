"""Paths that are being written: whoever comes second is told 423 and tries again, as on Nextcloud."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Busy:
    """The set of (owner, path) that someone writes to now."""

    def __init__(self) -> None:
        self._held: set[tuple[str, str]] = set()
        self._shared: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, *places: tuple[str, str], shared: Sequence[tuple[str, str]] = ()) -> Iterator[None]:
        """Hold some places for the block, each with all that lies in it.

        A shared place may be shared by others, and what lies in it may change; it itself stays as it is.

        Raises
        ------
        Refused
            423: one of them, or something in or above it, is held by another request.
        """
        wanted = set(places)
        with self._lock:
            in_use = (*self._held, *self._shared)
            for place in (*wanted, *shared):
                if any(_lies_in(place, held) for held in self._held) or (
                    place in wanted and any(_lies_in(other, place) for other in in_use)
                ):
                    raise Refused(423, f'"/{place[1]}" is locked')
            self._held |= wanted
            self._shared += shared
        try:
            yield
        finally:
            with self._lock:
                self._held -= wanted
                for place in shared:
                    self._shared.remove(place)


def _lies_in(place: tuple[str, str], other: tuple[str, str]) -> bool:
    """Tell whether a place is another, or lies anywhere in it."""
    return place[0] == other[0] and f"{place[1]}/".startswith(f"{other[1]}/")
