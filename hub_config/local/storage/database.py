"""The SQLite database: users, app passwords, records of files, shares.

The files themselves are ordinary files beside it. Losing the database loses ids, checksums, shares and app passwords,
never data: a record is made anew when its file is next looked at.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS user (uid TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT);
CREATE TABLE IF NOT EXISTS identity (
  uid TEXT PRIMARY KEY, issuer TEXT NOT NULL, sub TEXT NOT NULL, UNIQUE (issuer, sub));
CREATE TABLE IF NOT EXISTS membership (uid TEXT NOT NULL, gid TEXT NOT NULL, PRIMARY KEY (uid, gid));
CREATE TABLE IF NOT EXISTS app_password (
  hash TEXT PRIMARY KEY, uid TEXT NOT NULL, label TEXT NOT NULL, created INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS node (
  id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, folder TEXT NOT NULL, name TEXT NOT NULL,
  stamp TEXT, checksum TEXT, created INTEGER NOT NULL DEFAULT 0, uploaded INTEGER NOT NULL DEFAULT 0,
  UNIQUE (owner, folder, name));
CREATE TABLE IF NOT EXISTS property (
  node INTEGER NOT NULL REFERENCES node ON DELETE CASCADE, name TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (node, name));
CREATE TABLE IF NOT EXISTS share (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, owner TEXT NOT NULL, receiver TEXT,
  node INTEGER NOT NULL REFERENCES node ON DELETE CASCADE, permissions INTEGER NOT NULL, token TEXT UNIQUE,
  password TEXT, expires TEXT, label TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '', attributes TEXT,
  created INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS share_node ON share (node);
CREATE TABLE IF NOT EXISTS mount (
  share INTEGER NOT NULL REFERENCES share ON DELETE CASCADE, uid TEXT NOT NULL, name TEXT,
  PRIMARY KEY (share, uid));
CREATE TABLE IF NOT EXISTS trash (
  owner TEXT NOT NULL, key TEXT NOT NULL, path TEXT NOT NULL, deleted INTEGER NOT NULL, PRIMARY KEY (owner, key));
"""


class Database:
    """One connection a thread; every statement commits by itself unless it stands in a transaction."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._writing = threading.Lock()
        self._connection.executescript(_SCHEMA)

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Run one statement."""
        return self._connection.execute(statement, values)

    def one(self, statement: str, *values: Any) -> Any:
        """Return the first row, or None."""
        return self.execute(statement, *values).fetchone()

    def all(self, statement: str, *values: Any) -> list[Any]:
        """Return every row."""
        return self.execute(statement, *values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements of the block take effect, or none."""
        with self._writing, self._connection:  # SQLite itself would sleep until the other is done, and too long
            self.execute("BEGIN IMMEDIATE")
            yield

    @property
    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            self._local.connection = connection
        return connection
