"""Keeps the local copies within their limit: the one that was not used for longest goes first, one in use never."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError, UsageError
from imagine_lib.storage.staging.locks import copies_folder, drop, states

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_GB = 100.0
SPARE = 512 * 1024**2
"""Bytes of the disk that copies leave free."""
GB = 1e9


def make_room(copy: Path, needed: int, shown: str) -> None:
    """Make room for more bytes in a copy.

    Parameters
    ----------
    copy
        Its folder, which stays.
    needed
        Bytes that will be added.
    shown
        What is copied, for the user.

    Raises
    ------
    StorageError
        There is not enough, whatever is dropped.
    """
    limit = _limit()
    used = {root: _size(root) for root in copies_folder().glob("*/*") if root.is_dir()}
    others = sorted((root for root in used if root != copy), key=_last_used)
    for root in [*others, None]:
        excess = sum(used.values()) + needed - limit
        short = needed + SPARE - shutil.disk_usage(copies_folder()).free
        if excess <= 0 and (short <= 0 or not needed):
            return
        if root is not None and drop(root):
            used.pop(root)
    if excess > 0:
        raise StorageError(
            f"{shown} needs {(used.get(copy, 0) + needed) / GB:.2f} GB here, and local copies may take "
            f"{limit / GB:g} GB: set IMAGINE_CACHE_GB higher, end programs that use other copies, or open a part."
        )
    raise StorageError(
        f"{shown} needs {needed / GB:.2f} GB more, and the disk of {copies_folder()} is full: free some disk space."
    )


def _limit() -> float:
    text = os.environ.get("IMAGINE_CACHE_GB", "")
    try:
        limit = float(text) if text else DEFAULT_GB
    except ValueError:
        limit = -1.0
    if not limit > 0:
        raise UsageError(f"IMAGINE_CACHE_GB must be a number of gigabytes, not {text!r}.")
    return limit * GB


def _size(root: Path) -> int:
    """Return how much a copy takes; one that was interrupted, or shares files with another, is measured."""
    try:
        if len(states(root)) == 1 and (root / "size.json").stat().st_mtime >= (root / "used").stat().st_mtime:
            return int(json.loads((root / "size.json").read_text()))
    except (OSError, ValueError, TypeError):
        pass
    found = [path.lstat() for path in (root / "files").rglob("*") if path.is_file()]
    return sum(status.st_size // status.st_nlink for status in found)


def _last_used(root: Path) -> float:
    try:
        return (root / "used").stat().st_mtime
    except OSError:
        return 0.0
