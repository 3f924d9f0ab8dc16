"""An account for each user: a uid of their own and a home that only they can enter.

The table is written by the supervisor alone. Its uids come from a block that is chosen at random once, far from the
machine's own users and from other workspaces on it.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from hub_config.local.places import runs_as_root, write_text

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
BLOCK = 10_000
"""Accounts that fit into one workspace's block of uids."""

LOWEST, HIGHEST = 1_879_050_000, 2_147_350_000
"""Above what systemd gives to containers, below its upper reserve and what is a negative number for some."""

TRIES = 100

CONTAINER_LOWEST = 20_000
"""Where the block begins inside a container that maps only 65,536 uids."""


class AccountError(Exception):
    """No account can be made; the message says why."""


@dataclass(frozen=True)
class Account:
    """Who a user is on this machine."""

    name: str
    uid: int
    home: Path


class Accounts:
    """The table of accounts.

    Parameters
    ----------
    table
        Its file.
    homes
        Where the homes are.
    """

    def __init__(self, table: Path, homes: Path) -> None:
        self._table, self._homes = table, homes
        self._lock = threading.Lock()

    def get(self, name: str) -> Account:
        """Return a user's account, made at the first call.

        Raises
        ------
        AccountError
            The name cannot be a folder's, or all uids are given away.
        """
        if not NAME.fullmatch(name):
            raise AccountError(f"{name!r} cannot be an account: use a-z, 0-9, dot, dash and underscore.")
        with self._lock:  # two users' first starts at once must not get one uid
            uid = self._uid(name) if runs_as_root() else os.getuid()
            return Account(name, uid, self._home(name, uid))

    def uids(self) -> set[int]:
        """Return every uid that was given to a user."""
        return set(self._read()["uids"].values())

    def _uid(self, name: str) -> int:
        table = self._read()
        if name not in table["uids"]:
            if len(table["uids"]) >= BLOCK:
                raise AccountError(f"All {BLOCK} accounts of this workspace are taken.")
            table["uids"][name] = table["first"] + len(table["uids"])
            write_text(self._table, json.dumps(table, indent=1))
        return int(table["uids"][name])

    def _read(self) -> dict[str, Any]:
        if not self._table.exists():
            return {"first": _choose_block(), "uids": {}}
        table: dict[str, Any] = json.loads(self._table.read_text())
        return table

    def _home(self, name: str, uid: int) -> Path:
        home = self._homes / name
        self._homes.mkdir(mode=0o711, parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
        if home.stat().st_uid != uid:
            os.chown(home, uid, uid)
        return home


def _choose_block() -> int:
    mapped = max(int(line.split()[0]) + int(line.split()[2]) for line in _uid_map())
    if mapped > HIGHEST:
        return _unused_block(lambda: LOWEST + BLOCK * secrets.randbelow((HIGHEST - LOWEST) // BLOCK))
    if mapped < CONTAINER_LOWEST + BLOCK:
        raise AccountError("This container has too few uids to keep users apart: start it as an ordinary user.")
    return _unused_block(lambda: CONTAINER_LOWEST + secrets.randbelow(mapped - CONTAINER_LOWEST - BLOCK + 1))


def _unused_block(draw: Callable[[], int]) -> int:
    """Draw until no account of this machine and no running process lies in the block."""
    taken = {entry.pw_uid for entry in pwd.getpwall()} | {p.info["uids"].real for p in psutil.process_iter(["uids"])}
    for _ in range(TRIES):
        first = draw()
        if not any(first <= uid < first + BLOCK for uid in taken):
            return first
    raise AccountError("This machine has no free block of uids: start the workspace as an ordinary user.")


def _uid_map() -> list[str]:
    try:
        return Path("/proc/self/uid_map").read_text().splitlines()
    except OSError:
        return [f"0 0 {2**32}"]
