"""What the platform has seen, for the hub's pages; no page waits long for it."""

from __future__ import annotations

import logging
import time
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from imagine_lib.wire import Capacity, Status

log = logging.getLogger(__name__)

SECONDS = 2.0
"""That the platform may take."""
FRESH = 5.0
"""Seconds for which one answer serves all pages."""

Answer = TypeVar("Answer", bound=BaseModel)


class PlatformClient:
    """Asks the platform, and remembers what it said for some seconds.

    Parameters
    ----------
    platform
        Its address.
    """

    def __init__(self, platform: str) -> None:
        self._base = f"{platform}/services/imagine"
        self._known: dict[str, tuple[float, BaseModel | None]] = {}

    async def capacity(self) -> Capacity:
        """Return what is free: nothing is known, where the platform does not say."""
        return await self._read("capacity", Capacity) or Capacity()

    async def status(self) -> Status | None:
        """Return the state of the services; None where the platform does not say."""
        return await self._read("status", Status)

    async def _read(self, path: str, kind: type[Answer]) -> Answer | None:
        until, known = self._known.get(path, (0.0, None))
        if time.monotonic() < until:
            return known if isinstance(known, kind) else None
        self._known[path] = time.monotonic() + FRESH, known  # whoever comes meanwhile takes what was known
        answer = await self._ask(path, kind)
        self._known[path] = time.monotonic() + FRESH, answer
        return answer

    async def _ask(self, path: str, kind: type[Answer]) -> Answer | None:
        try:
            async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client:
                response = await client.get(f"{self._base}/{path}")
            return kind.model_validate_json(response.raise_for_status().content)
        except (httpx.HTTPError, ValidationError) as error:
            log.warning("The platform does not say its %s: %s", path, error)
            return None
