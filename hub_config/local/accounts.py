"""An account for each user: a uid of their own and a home that only they can enter.

The table is written by the supervisor alone. Its uids come from a block that is chosen at random once, far from the
machine's own users and from other workspaces on it.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_config.local.places import runs_as_root, write_text

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
BLOCK = 10_000
"""Accounts that fit into one workspace's block of uids."""

LOWEST, HIGHEST = 1_000_000_000, 2_000_000_000
"""Above every range that distributions, containers and systemd hand out, below what is a negative number for some."""

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

    def get(self, name: str) -> Account:
        """Return a user's account, made at the first call.

        Raises
        ------
        AccountError
            The name cannot be a folder's, or all uids are given away.
        """
        if not NAME.fullmatch(name):
            raise AccountError(f"{name!r} cannot be an account: use a-z, 0-9, dot, dash and underscore.")
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
        if not home.exists():
            home.mkdir(mode=0o700)
            os.chown(home, uid, uid if runs_as_root() else -1)
        return home


def _choose_block() -> int:
    mapped = max(int(line.split()[0]) + int(line.split()[2]) for line in _uid_map())
    if mapped > HIGHEST:
        return LOWEST + BLOCK * secrets.randbelow((HIGHEST - LOWEST) // BLOCK)
    if mapped < CONTAINER_LOWEST + BLOCK:
        raise AccountError("This container has too few uids to keep users apart: start it as an ordinary user.")
    return CONTAINER_LOWEST + secrets.randbelow(mapped - CONTAINER_LOWEST - BLOCK + 1)


def _uid_map() -> list[str]:
    try:
        return Path("/proc/self/uid_map").read_text().splitlines()
    except OSError:
        return [f"0 0 {2**32}"]
