"""Which local copies there are, which of them programs use, and how one that none uses goes.

Each state of a copy is a folder; a program that has been given one holds a lock on the file ``used`` in it until it
ends, and only while the copy's own lock is held does a program begin to use a state or is one dropped.
"""

from __future__ import annotations

import fcntl
import shutil
from typing import IO, TYPE_CHECKING

from imagine_lib.storage.credentials import cache_folder

if TYPE_CHECKING:
    from pathlib import Path

_held: dict[Path, IO[bytes]] = {}


def copies_folder() -> Path:
    """Return where the copies lie."""
    return cache_folder() / "staging"


def states(root: Path) -> list[Path]:
    """Return the folders that the states of a copy lie in, the newest last."""
    found = [path for path in root.parent.glob(f"{root.stem}*") if path.is_dir()]
    return sorted(found, key=lambda path: int(path.suffix.removeprefix(".") or 0))


def acquire(root: Path) -> bool:
    """Keep a state from being changed or dropped until this process ends; tell whether it was not kept yet."""
    used = root / "used"
    used.touch()
    if root in _held:
        return False
    _held[root] = used.open("rb")
    fcntl.flock(_held[root], fcntl.LOCK_SH)
    return True


def release(root: Path) -> None:
    """Keep a state no longer."""
    _held.pop(root).close()


def is_used(root: Path) -> bool:
    """Tell whether a process holds a state, this one or another."""
    try:
        with (root / "used").open("rb") as used:
            fcntl.flock(used, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def drop(root: Path) -> bool:
    """Delete a state that no process uses; tell whether that was so."""
    try:
        with root.with_suffix(".lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return drop_unused(root)
    except OSError:
        return False


def drop_unused(root: Path) -> bool:
    """Do so where the copy is locked already."""
    if is_used(root):
        return False
    shutil.rmtree(root, ignore_errors=True)
    return True
