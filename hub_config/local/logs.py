"""Keep logs short: one that has grown too long becomes ``NAME.log.1``, and begins anew.

Services and servers write to their logs themselves, so that they outlive the supervisor. A log is therefore emptied
in place; all of them are opened to append, so their writers go on at its new beginning.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LOGS = ("logs/*.log", "hub/servers/*.log", "mounts/*/rclone.log")
"""Of the services, the users' servers and the mounts, below the state folder."""

LARGEST = 10 * 1024**2
"""Bytes of a log, and of what is kept of it when it begins anew."""

EVERY_SECONDS = 10


async def keep_short(state: Path) -> None:
    """Look at the logs again and again, until cancelled."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        await asyncio.to_thread(shorten, state)


def shorten(state: Path) -> None:
    """Begin each log anew that is too long."""
    for log in (log for pattern in LOGS for log in state.glob(pattern)):
        with contextlib.suppress(OSError):  # a disk without room for the copy: the log stays as it is
            if log.stat().st_size > LARGEST:
                _begin_anew(log)


def _begin_anew(log: Path) -> None:
    with log.open("r+b") as file, log.with_name(f"{log.name}.1").open("wb") as kept:
        file.seek(-LARGEST, os.SEEK_END)
        shutil.copyfileobj(file, kept)
        kept.flush()  # or what does not fit on the disk would be noticed too late
        file.truncate(0)
