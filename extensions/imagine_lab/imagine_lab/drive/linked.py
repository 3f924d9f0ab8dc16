"""The user's Nextcloud, whichever is linked at the moment."""

from __future__ import annotations

from imagine_lib.storage.client import Nextcloud
from imagine_lib.storage.credentials import read_credential

from .sentences import told

PATIENCE = 6.0
"""Seconds for which a failed request is tried again: someone waits in front of the list."""

TIMEOUT = 30.0

IN_FLIGHT = 10
"""A browser downloads by at most six connections, and four are left for the list. One more would let a revoked key
lock out everyone behind this address: a Nextcloud counts to eleven."""


class Linked:
    """Gives the Nextcloud of the credential that lies in the user's home, and another one when that changes."""

    def __init__(self) -> None:
        self._cloud: Nextcloud | None = None

    def cloud(self) -> Nextcloud:
        """Return the user's Nextcloud.

        Raises
        ------
        Refused
            No storage is linked.
        """
        with told():
            account = read_credential()
            if self._cloud is None or (self._cloud.url, self._cloud.user) != (account.url.rstrip("/"), account.user):
                self._cloud = Nextcloud(patience=PATIENCE, timeout=TIMEOUT, in_flight=IN_FLIGHT)
        return self._cloud
