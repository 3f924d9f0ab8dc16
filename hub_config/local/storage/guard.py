"""The brute-force guard: eleven wrong credentials from one address lock that address out for half an hour.

It is imitated because clients must survive it: one stale password retried in a loop locks out every user behind the
same address. Failures are counted in memory; unlike Nextcloud it does not also slow each failure down, since a
sleeping answer would hold one of few threads.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from typing import TYPE_CHECKING

from .errors import Refused

if TYPE_CHECKING:
    from .config import Network

LIMIT = 11
WINDOW = 30 * 60


class Guard:
    """Counts failures by address."""

    def __init__(self, trusted: tuple[Network, ...]) -> None:
        self._trusted = trusted
        self._failures: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def trusts(self, address: str) -> bool:
        """Tell whether the address is never locked out."""
        return any(ipaddress.ip_address(address) in network for network in self._trusted)

    def admit(self, address: str) -> None:
        """Raise 429 when the address is locked out."""
        if self._count(address) >= LIMIT:
            hint = '<o:hint xmlns:o="o:">too many requests</o:hint>'
            raise Refused(429, detail=hint)

    def failed(self, address: str) -> None:
        """Count a failure."""
        if not self.trusts(address):
            with self._lock:
                self._failures.setdefault(address, []).append(time.monotonic())

    def state(self, address: str) -> dict[str, object]:
        """Return what the capabilities say about the caller."""
        failures = self._count(address)
        return {
            "delay": min(25000, 100 * 2**failures) if failures else 0,
            "allow-listed": self.trusts(address),
        }

    def _count(self, address: str) -> int:
        since = time.monotonic() - WINDOW
        with self._lock:
            recent = [moment for moment in self._failures.pop(address, []) if moment > since]
            if recent:
                self._failures[address] = recent
        return len(recent)
