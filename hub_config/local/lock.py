"""One supervisor for one workspace: a lock that the system frees when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
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
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.holder = int(self._path.read_text() or 0)
        else:
            self._file.truncate(0)
            self._file.write(str(os.getpid()))
            self._file.flush()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
