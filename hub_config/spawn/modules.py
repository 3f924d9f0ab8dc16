"""The catalogue as the hub reads it: for all who come within some seconds at once, however far away it lies."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from imagine_lib import catalogue

if TYPE_CHECKING:
    from imagine_lib.wire import CatalogueEntry

FRESH = 10.0
"""Seconds for which one reading serves everyone."""


class Modules:
    """The modules of one catalogue.

    Parameters
    ----------
    location
        A folder, or the URL of an index.
    """

    def __init__(self, location: str) -> None:
        self._location = location
        self._reading: asyncio.Future[list[CatalogueEntry]] | None = None
        self._until = 0.0

    async def read(self) -> list[CatalogueEntry]:
        """Return the entries.

        Raises
        ------
        CatalogueError
            The catalogue cannot be read.
        """
        if self._reading is None or time.monotonic() > self._until:
            self._until = time.monotonic() + FRESH
            self._reading = asyncio.ensure_future(asyncio.to_thread(catalogue.load, self._location))
        try:
            return await asyncio.shield(self._reading)
        except Exception:
            self._reading = None
            raise
