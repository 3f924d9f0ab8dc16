"""When a request that failed is tried again, and when that would be of no use or do harm."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

FIRST_WAIT, LONGEST_WAIT = 0.25, 8.0
LONGEST_RETRY_AFTER = 120.0
"""Seconds; a server that asks for more has no time for an interactive program."""
BUSY = {423, 429, 503}
"""The request was not carried out, and may be repeated whatever it was."""
BROKEN = {500, 502, 504}
"""Nobody knows whether it was carried out."""
MAX_TRIES = 12
TIMES_OF_500 = 2
"""A Nextcloud answers 500 where its database was locked, and where it does not know better."""


class RetryState:
    """How often one request was tried, and whether it is tried again.

    Parameters
    ----------
    seconds
        Longest time from the first failure in which a new try may begin: what takes long is tried again too.
    idempotent
        Whether carrying it out twice does no harm.
    """

    def __init__(self, seconds: float, idempotent: bool) -> None:
        self._seconds, self._idempotent = seconds, idempotent
        self.renew()
        self._errors = 0
        self.unsure = False
        """Whether an earlier try may have been carried out unseen."""

    def renew(self) -> None:
        """Begin anew, because some of the work got done."""
        self._ends = self._latest = 0.0
        self._wait = FIRST_WAIT
        self._tries = 0

    def after_break(self, sent: bool) -> float | None:
        """Return how long to wait after a broken connection, None to give up; ``sent``: the server may have acted."""
        self.unsure = self.unsure or sent
        return self._next() if self._idempotent or not sent else None

    def after(self, response: httpx.Response) -> float | None:
        """Return how long to wait after a refusal, None to give up."""
        status = response.status_code
        if status in BUSY:
            retry_after = _retry_after(response)
            if retry_after is not None and retry_after <= LONGEST_RETRY_AFTER:
                return self._next(retry_after)
            # Without Retry-After, 429 means a lock-out of half an hour; asking again would prolong it.
            return None if status == 429 or retry_after is not None else self._next()
        if status in BROKEN:
            self._errors += status == 500
            return self.after_break(sent=True) if self._errors < TIMES_OF_500 else None
        return None

    def _next(self, retry_after: float = 0.0) -> float | None:
        """Return how long to wait, at least as long as the server says, which lengthens the time for it."""
        now = time.monotonic()
        if not self._tries:
            self._ends = now + self._seconds
            self._latest = self._ends + LONGEST_RETRY_AFTER
        self._ends = min(self._ends + retry_after, self._latest)
        wait, self._wait = max(retry_after, self._wait), min(2 * self._wait, LONGEST_WAIT)
        self._tries += 1
        return None if self._tries >= MAX_TRIES or now + wait > self._ends else wait


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None
