"""Watches that no process of a workspace talks to another machine."""

from __future__ import annotations

import ipaddress
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.workspace.conftest import Workspace

EVERY_SECONDS = 0.2


@contextmanager
def only_loopback(workspace: Workspace) -> Iterator[set[str]]:
    """Collect the addresses abroad that the workspace's processes were connected to."""
    abroad: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(EVERY_SECONDS):
            mine = {process.pid for process in workspace.processes()}
            for connection in psutil.net_connections("inet"):
                if connection.pid in mine and connection.raddr:
                    address = ipaddress.ip_address(connection.raddr.ip.split("%")[0])
                    mapped = getattr(address, "ipv4_mapped", None) or address
                    if not mapped.is_loopback:
                        abroad.add(f"{connection.raddr.ip}:{connection.raddr.port}")

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield abroad
    finally:
        ended.set()
        watcher.join()
