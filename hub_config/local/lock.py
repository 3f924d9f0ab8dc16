"""One supervisor for one workspace: a lock that the system frees when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path


class WorkspaceLock:
    """Held for as long as a supervisor lives.

    Parameters
    ----------
    path
        The lock's file; it holds the number of the process that has the lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a+")
        self.holder: int | None = None
        """The process that has the lock instead of us; None when we have it."""

    def __enter__(self) -> Self:
        while not self._take():
            if holder := self._path.read_text():
                self.holder = int(holder)
                return self
            time.sleep(0.01)  # it has the lock, and has not yet written who it is
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()
        return self

    def __exit__(self, *_: object) -> None:
        if self.holder is None:
            self._file.truncate(0)  # so that nobody takes us for the holder when our number is another's
        self._file.close()

    def _take(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
