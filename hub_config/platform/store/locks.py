"""Locks between processes: one controller acts at a time, and one process migrates.

Beside an SQLite file it is a lock on a file of its own; in PostgreSQL an advisory lock of its own connection.
Both are let go by the system itself when their holder dies.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from hub_config.platform.store.database import sqlite_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub_config.platform.store.database import Database


class Lock(Protocol):
    """A lock that at most one process holds."""

    def acquire(self) -> bool:
        """Try to take it; False when another process has it."""

    def held(self) -> bool:
        """Say whether this process still has it."""

    def release(self) -> None:
        """Let it go."""


def named_lock(database: Database, name: str) -> Lock:
    """Return the lock of a name that all processes on this database share."""
    path = sqlite_path(database.url)
    if path is not None:
        return _FileLock(path.with_name(f"{path.name}.{name}.lock"))
    return _AdvisoryLock(database, name)


@contextmanager
def waiting_for(lock: Lock, poll: float = 0.1) -> Iterator[None]:
    """Hold a lock for the block; wait until it is free."""
    while not lock.acquire():
        time.sleep(poll)
    try:
        yield
    finally:
        lock.release()


class _FileLock:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(self) -> bool:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def held(self) -> bool:
        return self._file is not None

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class _AdvisoryLock:
    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._key = int.from_bytes(hashlib.sha256(f"imagine/{name}".encode()).digest()[:8], signed=True)
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}):
            connection.close()
            return False
        self._connection = connection
        return True

    def held(self) -> bool:
        """Ask on the connection that holds it: a lost connection is a lost lock."""
        if self._connection is None:
            return False
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            self.release()
            return False
        return True

    def release(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()  # ends the server's session, and with it the lock
            self._connection.close()
            self._connection = None
