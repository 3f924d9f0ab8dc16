"""Find and end what an earlier supervisor left behind when it was killed.

Every process of a workspace carries the workspace's state folder in its environment; users' processes are also known
by their uid. A server's key to the storage is known by its name.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from typing import TYPE_CHECKING

import psutil

from hub_config.link.nextcloud import NAME
from hub_config.local.places import MARK
from hub_config.local.storage.accounts import revoke_named
from hub_config.local.storage.database import Database

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

GRACE_SECONDS = 10


def end_processes(workspace: str, uids: set[int]) -> int:
    """End every process of a workspace but this one and its parents.

    Parameters
    ----------
    workspace
        What ``IMAGINE_WORKSPACE`` holds in them.
    uids
        Given to users of this workspace; whatever runs under them is theirs.

    Returns
    -------
    int
        How many there were.
    """
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = [
        process for process in psutil.process_iter() if process.pid not in spared and _ours(process, workspace, uids)
    ]
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(found, timeout=GRACE_SECONDS)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=GRACE_SECONDS)
    if found:
        log.info("Ended %d processes of an earlier start", len(found))
    return len(found)


def revoke_keys(database: Path) -> None:
    """End the keys to the embedded storage that were made for servers; call it when no server runs.

    Parameters
    ----------
    database
        The storage's.
    """
    if not database.exists():
        return
    try:
        revoke_named(Database(database), NAME)
    except sqlite3.Error as error:
        log.warning("The keys to the storage of an earlier start could not be revoked: %s", error)


def _ours(process: psutil.Process, workspace: str, uids: set[int]) -> bool:
    try:
        return process.uids().real in uids or process.environ().get(MARK) == workspace
    except psutil.Error:
        return False
