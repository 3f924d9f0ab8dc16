"""Records of files: the id that survives a MOVE, the checksum sent at upload, properties set by clients.

A record hangs on owner and path and moves with the file. Its checksum counts only while the file still has the
stamp it was stored with, so a file changed behind the server loses it instead of vouching for other bytes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .accounts import random_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .database import Database
    from .homes import Node

_INSERT = "INSERT OR IGNORE INTO node (owner, folder, name) VALUES (?, ?, ?)"
_SELECT = "SELECT * FROM node WHERE owner = ? AND folder = ? AND name = ?"


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a file or folder beyond what the disk says."""

    id: int
    checksum: str | None
    created: int
    uploaded: int


class Nodes:
    """The table of records."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._database.execute("INSERT OR IGNORE INTO setting VALUES ('instance', ?)", "oc" + random_text(10).lower())
        self._instance: str = self._database.one("SELECT value FROM setting WHERE key = 'instance'")["value"]

    def full_id(self, record: Record) -> str:
        """Return the id with the instance's name, as ``oc:id`` and ``OC-FileId`` have it."""
        return f"{record.id:08d}{self._instance}"

    def record(self, node: Node) -> Record:
        """Return a node's record, made at first sight."""
        return self.records([node])[0]

    def records(self, nodes: list[Node]) -> list[Record]:
        """Return the nodes' records, those still missing made in one transaction."""
        rows = [self._database.one(_SELECT, node.owner, node.folder, node.name) for node in nodes]
        if None in rows:
            with self._database.transaction():
                for node, row in zip(nodes, rows, strict=True):
                    if row is None:
                        self._database.execute(_INSERT, node.owner, node.folder, node.name)
            return self.records(nodes)
        return [
            Record(
                row["id"], row["checksum"] if row["stamp"] == node.stamp else None, row["created"], row["uploaded"]
            )
            for node, row in zip(nodes, rows, strict=True)
        ]

    def known(self, node: Node) -> Record | None:
        """Return a node's record if there is one: reading a file must not write."""
        row = self._database.one(_SELECT, node.owner, node.folder, node.name)
        return self.record(node) if row else None

    def uploaded(self, owner: str, path: str, stamp: str, checksum: str | None, created: int | None) -> None:
        """Keep what came with an upload; done before the file is renamed into place, so a full disk harms nothing."""
        folder, _, name = path.rpartition("/")
        with self._database.transaction():
            self._database.execute(_INSERT, owner, folder, name)
            self._database.execute(
                "UPDATE node SET stamp = ?, checksum = ?, uploaded = ?, created = coalesce(?, created) "
                "WHERE owner = ? AND folder = ? AND name = ?",
                stamp,
                checksum,
                int(time.time()),
                created,
                owner,
                folder,
                name,
            )

    def moved(self, source: Node, owner: str, path: str) -> None:
        """Let the records of a tree follow it; what it replaced loses its own, a new owner ends its shares."""
        folder, _, name = path.rpartition("/")
        with self._database.transaction():
            self._remove(owner, path)
            if owner != source.owner:
                self._unshare(source.owner, source.path)
            self._database.execute(
                "UPDATE node SET owner = ?, folder = ?, name = ? WHERE owner = ? AND folder = ? AND name = ?",
                *(owner, folder, name, source.owner, source.folder, source.name),
            )
            self._database.execute(
                "UPDATE node SET owner = ?, folder = ? || substr(folder, ?) "
                "WHERE owner = ? AND (folder = ? OR (folder > ? AND folder < ?))",
                *(owner, path, len(source.path) + 1, source.owner, *_below(source.path)),
            )

    def removed(self, node: Node) -> None:
        """Forget a tree, and with it its properties and shares."""
        with self._database.transaction():
            self._remove(node.owner, node.path)

    def properties(self, record: Record) -> dict[str, str]:
        """Return the properties that clients set, as XML by Clark name."""
        rows = self._database.all("SELECT name, value FROM property WHERE node = ?", record.id)
        return {row["name"]: row["value"] for row in rows}

    def set_property(self, record: Record, name: str, value: str | None) -> None:
        """Set a property, or remove it."""
        if value is None:
            self._database.execute("DELETE FROM property WHERE node = ? AND name = ?", record.id, name)
        else:
            self._database.execute("REPLACE INTO property VALUES (?, ?, ?)", record.id, name, value)

    def share_types(self, record: Record) -> Iterable[int]:
        """Return the kinds of shares of a node."""
        rows = self._database.all("SELECT DISTINCT kind FROM share WHERE node = ? ORDER BY kind", record.id)
        return [row["kind"] for row in rows]

    def _remove(self, owner: str, path: str) -> None:
        folder, _, name = path.rpartition("/")
        self._database.execute("DELETE FROM node WHERE owner = ? AND folder = ? AND name = ?", owner, folder, name)
        self._database.execute(
            "DELETE FROM node WHERE owner = ? AND (folder = ? OR (folder > ? AND folder < ?))", owner, *_below(path)
        )

    def _unshare(self, owner: str, path: str) -> None:
        folder, _, name = path.rpartition("/")
        self._database.execute(
            "DELETE FROM share WHERE node IN (SELECT id FROM node WHERE owner = ? AND "
            "((folder = ? AND name = ?) OR folder = ? OR (folder > ? AND folder < ?)))",
            *(owner, folder, name, *_below(path)),
        )


def _below(path: str) -> tuple[str, str, str]:
    """Return the bounds of all folders in the tree at ``path``, for the index (``0`` follows ``/``)."""
    return path, f"{path}/", f"{path}0"
