"""The user's Nextcloud, whichever is linked at the moment."""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import TYPE_CHECKING

from imagine_lib.storage.credentials import read_credential
from imagine_lib.storage.webdav.client import Nextcloud

from .refused import Refused
from .sentences import told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE = 6.0
"""Seconds for which a failed request is tried again: someone waits in front of the list."""

STUBBORN = 120.0
"""Likewise for what is long on its way: an upload that has arrived here is not thrown away for a short break."""

TIMEOUT = 30.0

LOOKS, TRANSFERS = 4, 6
"""Requests at a time. One more in all would let a revoked key lock out everyone behind this address: a Nextcloud
counts to eleven."""

DOWNLOADS = 5
"""At a time: each takes as long as the browser does, and what is uploaded must not wait for that."""

TURN_SECONDS = 10.0
"""How long a download, a list or a save waits for others to end. A browser has six connections, one for the list."""


class Linked:
    """Gives the Nextcloud of the credential that lies in the user's home, and another one when that changes."""

    def __init__(self) -> None:
        self._looks: Nextcloud | None = None
        self._transfers: Nextcloud | None = None
        self._downloads = asyncio.Semaphore(DOWNLOADS)

    def cloud(self) -> Nextcloud:
        """Return the user's Nextcloud for what someone waits for.

        Raises
        ------
        Refused
            No storage is linked.
        """
        self._looks = _current(self._looks, PATIENCE, LOOKS, TURN_SECONDS)
        return self._looks

    def transfers(self) -> Nextcloud:
        """Return it for downloads and uploads, which leave the others alone.

        Their requests wait for each other as long as that takes: downloads leave a place free for uploads.

        Raises
        ------
        Refused
            No storage is linked.
        """
        self._transfers = _current(self._transfers, STUBBORN, TRANSFERS)
        return self._transfers

    @contextlib.asynccontextmanager
    async def download(self) -> AsyncIterator[Nextcloud]:
        """Give the user's Nextcloud when a download may begin.

        Raises
        ------
        Refused
            Too many are under way, or no storage is linked.
        """
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._downloads.acquire()
        except TimeoutError:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{DOWNLOADS} downloads from your Nextcloud are under way: start this one again when one has ended.",
            ) from None
        try:
            yield self.transfers()
        finally:
            self._downloads.release()


def _current(
    cloud: Nextcloud | None, patience: float, in_flight: int, pool_timeout: float | None = None
) -> Nextcloud:
    with told():
        account = read_credential()
        if cloud is None or (cloud.url, cloud.user) != (account.url.rstrip("/"), account.user):
            return Nextcloud(patience=patience, timeout=TIMEOUT, in_flight=in_flight, pool_timeout=pool_timeout)
    return cloud
