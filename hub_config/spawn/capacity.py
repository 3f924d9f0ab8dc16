"""What the platform knows of the cluster, for the spawn page; a page never waits long for it."""

from __future__ import annotations

import logging
import time

import httpx
from pydantic import ValidationError

from imagine_lib.wire import Capacity

log = logging.getLogger(__name__)

SECONDS = 2.0
"""That the platform may take."""
FRESH = 5.0
"""Seconds for which one answer serves all pages."""


class CapacityReader:
    """Asks the platform.

    Parameters
    ----------
    platform
        Its address.
    """

    def __init__(self, platform: str) -> None:
        self._url = f"{platform}/services/imagine/capacity"
        self._known = Capacity()
        self._until = 0.0

    async def read(self) -> Capacity:
        """Return what is known now: nothing, where the platform does not say."""
        if time.monotonic() < self._until:
            return self._known
        self._until = time.monotonic() + FRESH  # whoever comes meanwhile takes what was known
        try:
            async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client:
                answer = await client.get(self._url)
            self._known = Capacity.model_validate_json(answer.raise_for_status().content)
        except (httpx.HTTPError, ValidationError) as error:
            log.warning("The platform does not say what is free: %s", error)
            self._known = Capacity()
        return self._known
