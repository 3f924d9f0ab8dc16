"""What servers held a GPU, and how long: in the hub's database, so that hours are counted over restarts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import Column, Float, Integer, MetaData, String, Table, func, insert, select, update

from hub_config.spawn.limits import DAYS

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from hub_config.spawn.limits import Held

DAY_SECONDS = 86_400
HOUR_SECONDS = 3_600
METADATA = MetaData()
USAGE = Table(
    "imagine_gpu_usage",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("user", String(255), nullable=False, index=True),
    Column("group", String(255), nullable=False),
    Column("flavour", String(255), nullable=False),
    Column("gpus", Integer, nullable=False),
    Column("began", Float, nullable=False),
    Column("ended", Float),
)


class Ledger:
    """The servers with GPUs, of now and of the last 30 days.

    Parameters
    ----------
    session
        The hub's own: another connection would wait for it in the same thread, for ever.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        METADATA.create_all(session.get_bind())

    def begin(self, held: Held) -> None:
        """Note that a server begins to hold its GPUs."""
        if held.gpus:
            self.end(held.user)
            row = {"user": held.user, "group": held.group, "flavour": held.gpu_flavour, "gpus": held.gpus}
            self._session.execute(insert(USAGE).values(**row, began=time.time()))
            self._session.commit()

    def end(self, user: str) -> None:
        """Note that a user's server holds nothing any more."""
        running = (USAGE.c.user == user) & USAGE.c.ended.is_(None)
        self._session.execute(update(USAGE).where(running).values(ended=time.time()))
        self._session.commit()

    def end_all_but(self, users: Collection[str]) -> None:
        """Note, when the hub starts, that the others' servers have ended while it did not look."""
        gone = USAGE.c.ended.is_(None) & USAGE.c.user.not_in(list(users))
        self._session.execute(update(USAGE).where(gone).values(ended=time.time()))
        self._session.commit()

    def hours(self, group: str, user: str = "") -> float:
        """Return the GPU-hours of the last 30 days.

        Parameters
        ----------
        group
            Whose servers count.
        user
            Only this member's; empty: all members'.
        """
        now = time.time()
        since = now - DAYS * DAY_SECONDS
        began, ended = USAGE.c.began, func.coalesce(USAGE.c.ended, now)
        counts = (USAGE.c.group == group) & (ended > since) & ((USAGE.c.user == user) if user else True)
        rows = self._session.execute(select(began, ended, USAGE.c.gpus).where(counts))
        return float(sum((end - max(start, since)) * gpus for start, end, gpus in rows)) / HOUR_SECONDS
