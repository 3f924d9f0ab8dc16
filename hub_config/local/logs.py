"""Keep logs short: one that has grown too long becomes ``NAME.log.1``, and begins anew.

Services and servers write to their logs themselves, so that they outlive the supervisor. A log is therefore emptied
in place; all of them are opened to append, so their writers go on at its new beginning.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

LOGS = ("logs/*.log", "hub/servers/*.log", "mounts/*/rclone.log")
"""Of the services, the users' servers and the mounts, below the state folder."""

LARGEST = 10 * 1024**2
"""Bytes of a log that are let be, and that are kept of it when it begins anew."""

EVERY_SECONDS = 10


async def keep_short(state: Path) -> None:
    """Look at the logs again and again, until cancelled."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await asyncio.to_thread(shorten, state)
        except OSError as error:
            log.warning("The logs in %s could not be kept short: %s", state, error)


def shorten(state: Path) -> None:
    """Begin each log anew that is too long.

    Raises
    ------
    OSError
        The end of one could not be kept; it begins anew all the same, because a log can be what has filled the disk.
    """
    for path in [path for pattern in LOGS for path in state.glob(pattern)]:
        if path.stat().st_size > LARGEST:
            _begin_anew(path)


def _begin_anew(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-LARGEST, os.SEEK_END)
        end = file.read(LARGEST)  # no more, however fast it is written to
        file.truncate(0)
    path.with_name(f"{path.name}.1").write_bytes(end)
