"""How much a user may store, asked before a body is read.

Counting walks the home, so a count is kept for a while and corrected by what is stored meanwhile; bytes on their way
are counted as if they were there, so two uploads cannot both take the last space.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .homes import Homes

RECOUNT = 30.0
UNLIMITED = -3
"""Nextcloud's word for *no limit*."""


class Quota:
    """The same limit for every user."""

    def __init__(self, limit: int | None, homes: Homes) -> None:
        self.limit = limit
        self._homes = homes
        self._counted: dict[str, tuple[float, int]] = {}
        self._coming: defaultdict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    def used(self, owner: str) -> int:
        """Count what a user stores."""
        home = self._homes.find(owner, "")
        return self._homes.totals(home, {}).size if home else 0

    def free(self, used: int) -> int:
        """Return what is left, -3 without a limit."""
        return UNLIMITED if self.limit is None else max(0, self.limit - used)

    def room(self, owner: str) -> int | None:
        """Return how many bytes may still come, None without a limit."""
        if self.limit is None:
            return None
        with self._lock:
            return self.limit - self._sum(owner)

    @contextmanager
    def reserve(self, owner: str, size: int, path: str, replaced: int = 0) -> Iterator[None]:
        """Hold room for a write of the block; it is given back if the block fails.

        Parameters
        ----------
        owner
            Whose room.
        size
            Bytes that are written.
        path
            Where to.
        replaced
            Bytes that go when the block is done. As on Nextcloud there must be room for the new ones beside them.

        Raises
        ------
        Refused
            507: there is not that much room.
        """
        if self.limit is None:
            yield
            return
        with self._lock:
            if size > 0 and self._sum(owner) + size > self.limit:
                raise Refused(507, f"Insufficient space in /{path}")
            self._coming[owner] += size
        try:
            yield
            with self._lock:
                moment, count = self._counted.get(owner, (float("-inf"), 0))
                self._counted[owner] = moment, count + size - replaced
        finally:
            with self._lock:
                self._coming[owner] -= size

    def forget(self, owner: str) -> None:
        """Count anew next time: something was removed."""
        with self._lock:
            self._counted.pop(owner, None)

    def _sum(self, owner: str) -> int:
        moment, count = self._counted.get(owner, (float("-inf"), 0))
        if time.monotonic() - moment > RECOUNT:
            count = self.used(owner)
            self._counted[owner] = time.monotonic(), count
        return count + self._coming[owner]
