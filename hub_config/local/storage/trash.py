"""What was deleted: kept for thirty days in ``data/USER/trash/files/NAME.dTIME``, and where it came from.

The trash is a home of its own for the rest of the server, whose owner is a name that no user has. Its files count
for no quota, their ids and checksums stay, their shares end.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import Refused
from .names import MAX_BYTES

if TYPE_CHECKING:
    from .database import Database
    from .homes import Homes, Node
    from .nodes import Nodes

LIFETIME = 30 * 24 * 3600
SWEEP_PAUSE = 3600


@dataclass(frozen=True, slots=True)
class Item:
    """Something that was deleted: its name and path at that time, and when that was."""

    name: str
    path: str
    deleted: int


class Trash:
    """All users' trash."""

    def __init__(self, database: Database, homes: Homes, nodes: Nodes) -> None:
        self._database = database
        self._homes = homes
        self._nodes = nodes
        self._lock = threading.Lock()
        self._swept = float("-inf")
        self._sweep()

    def put(self, node: Node) -> None:
        """Move a file or a tree out of its home."""
        self._sweep()
        shelf = shelf_of(node.owner)
        self._homes.provide(shelf, empty=True)
        with self._lock:
            moment = int(time.time())
            while self._homes.find(shelf, key := _key(node.name, moment)):
                moment += 1
            self._database.execute("REPLACE INTO trash VALUES (?, ?, ?, ?)", shelf, key, node.path, moment)
            self._homes.place(node.disk, self._homes.disk(shelf, key))
        self._nodes.moved(node, shelf, key)

    def item(self, shelf: str, key: str) -> Item:
        """Return what is known of something in the trash; without a record its key tells."""
        row = self._database.one("SELECT path, deleted FROM trash WHERE owner = ? AND key = ?", shelf, key)
        if row is None:
            name, _, moment = key.rpartition(".d")
            return Item(name, name, int(moment) if moment.isdecimal() else 0)
        return Item(row["path"].rpartition("/")[2], row["path"], row["deleted"])

    def origin(self, owner: str, key: str) -> str:
        """Return the path to restore something to: its old one, or the nearest that is free."""
        item = self.item(shelf_of(owner), key)
        folder = item.path.rpartition("/")[0]
        parent = self._homes.find(owner, folder)
        if parent is None or not parent.is_folder:
            folder = ""
        stem, dot, extension = item.name.rpartition(".")
        if not stem:
            stem, dot, extension = item.name, "", ""
        name, number = item.name, 1
        while self._homes.find(owner, path := f"{folder}/{name}".lstrip("/")):
            name = f"{stem} (restored{f' {number}' if number > 1 else ''}){dot}{extension}"
            number += 1
        return path

    def restore(self, node: Node, owner: str, path: str) -> None:
        """Move something from the trash to a free path of its owner's home."""
        try:
            self._homes.place(node.disk, self._homes.disk(owner, path))
        except FileNotFoundError:
            raise Refused(404, "It was restored or removed meanwhile.") from None
        self._nodes.moved(node, owner, path)
        self._database.execute("DELETE FROM trash WHERE owner = ? AND key = ?", node.owner, node.path)

    def remove(self, node: Node) -> None:
        """Remove something from the trash, for good."""
        self._nodes.removed(node)
        self._database.execute("DELETE FROM trash WHERE owner = ? AND key = ?", node.owner, node.path)
        self._homes.remove(node)

    def empty(self, owner: str) -> None:
        """Remove all that is in a user's trash."""
        shelf = self._homes.find(shelf_of(owner), "")
        for name in self._homes.names(shelf) if shelf else ():
            if shelf and (node := self._homes.member(shelf, name)):
                self.remove(node)

    def _sweep(self) -> None:
        with self._lock:
            if time.monotonic() - self._swept < SWEEP_PAUSE:
                return
            self._swept = time.monotonic()
        for row in self._database.all("SELECT owner, key FROM trash WHERE deleted < ?", time.time() - LIFETIME):
            if node := self._homes.find(row["owner"], row["key"]):
                self.remove(node)
            self._database.execute("DELETE FROM trash WHERE owner = ? AND key = ?", row["owner"], row["key"])


def shelf_of(owner: str) -> str:
    """Return the owner that a user's trash has."""
    return f"{owner}/trash"


def _key(name: str, moment: int) -> str:
    """Return a name with the time behind it, cut in its end where it would be too long."""
    ending = f".d{moment}"
    return name.encode()[: MAX_BYTES - len(ending)].decode(errors="ignore") + ending
