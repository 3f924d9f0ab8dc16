"""Whose socket listens on a port of this machine."""

from __future__ import annotations

from pathlib import Path

import psutil

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
"""The kernel's tables of sockets, with the account of each. Which process holds a socket is told only to those who
may trace that process, which root in a container usually may not."""

LISTENING = "0A"


def listens(port: int, uid: int, pid: int) -> bool:
    """Tell whether an account listens on a port.

    Parameters
    ----------
    port
        Of this machine.
    uid
        The account.
    pid
        A process of it, which is asked on a system that has no such tables.
    """
    if not TABLES[0].exists():
        return _process_listens(port, pid)
    rows = [line.split() for table in TABLES if table.exists() for line in table.read_text().splitlines()[1:]]
    return any(
        state == LISTENING and int(local.rpartition(":")[2], 16) == port and int(owner) == uid
        for _, local, _, state, _, _, _, owner, *_ in rows
    )


def _process_listens(port: int, pid: int) -> bool:
    try:
        sockets = psutil.Process(pid).net_connections("tcp")
    except psutil.NoSuchProcess:
        return False
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in sockets)
