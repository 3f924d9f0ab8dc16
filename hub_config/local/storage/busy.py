"""Paths that are being written: whoever comes second is told 423 and tries again, as on Nextcloud."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator


class Busy:
    """The set of (owner, path) that someone writes to now."""

    def __init__(self) -> None:
        self._held: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, *places: tuple[str, str]) -> Iterator[None]:
        """Hold some places for the block, each with all that lies in it.

        Raises
        ------
        Refused
            423: one of them, or something in or above it, is held by another request.
        """
        wanted = set(places)
        with self._lock:
            for owner, path in wanted:
                if any(owner == other and _overlap(path, held) for other, held in self._held):
                    raise Refused(423, f'"/{path}" is locked')
            self._held |= wanted
        try:
            yield
        finally:
            with self._lock:
                self._held -= wanted


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
