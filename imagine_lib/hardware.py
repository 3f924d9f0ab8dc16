"""What this process may use of the machine: a container's limits count, not the machine's size."""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

CGROUP = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")

QUOTAS = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
"""Of version 1; version 2 has both in one file."""

MEMORY = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""The files of limit and use, and the line of ``memory.stat`` that says how much of the use the kernel gives up when
memory is wanted: what files left behind. Version 2 first, then version 1."""

M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -3, -1
"""Options of the GNU C library's ``mallopt``: from which size on blocks come from the system, and go back to it."""

LARGEST_INT = 2**31 - 1

USUAL = ((M_MMAP_THRESHOLD, 32 * 1024**2), (M_TRIM_THRESHOLD, 64 * 1024**2))
"""What that library arrives at by itself where arrays are large (``mallopt(3)``); once set, it adapts no more."""


def processors() -> int:
    """Return how many processors this process may use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group in _groups("cpu"):
        quota, period = (_read(group / "cpu.max").split() or [_read(group / name) for name in QUOTAS])[:2]
        if quota.isdigit() and period.isdigit():
            allowed = min(allowed, int(quota) // int(period))
    return max(1, allowed)


def free_memory() -> int:
    """Return how many bytes of memory this process may still take."""
    free = int(psutil.virtual_memory().available)
    for group in _groups("memory"):
        for limit_file, use_file, idle_line in MEMORY:
            limit, used = _read(group / limit_file), _read(group / use_file)
            if limit.isdigit() and used.isdigit():
                free = min(free, int(limit) - int(used) + _line(group / "memory.stat", idle_line))
    return max(0, free)


@contextmanager
def keeping_freed_memory() -> Iterator[None]:
    """Let this process keep the memory that it frees, for its next use; at the end give back what is free.

    Left alone, the GNU C library gives large blocks back at once and gets them anew page by page: twenty thousand
    page faults a training step, and augmentation in twice the time.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        yield
        return
    for option, _ in USUAL:
        library.mallopt(option, LARGEST_INT)
    try:
        yield
    finally:
        for option, value in USUAL:
            library.mallopt(option, value)
        library.malloc_trim(0)


def _groups(controller: str) -> Iterator[Path]:
    """Give the control groups that limit this process: its own and those around it, of both versions."""
    for line in _read(MEMBERSHIP).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or controller in controllers.split(","):
            top = CGROUP / controller if controllers else CGROUP
            group = top / path.lstrip("/")
            yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(top))


def _line(path: Path, key: str) -> int:
    """Return the number behind a word in a file of words and numbers, 0 where there is none."""
    return next((int(line.split()[1]) for line in _read(path).splitlines() if line.startswith(f"{key} ")), 0)


def _read(path: Path) -> str:
    """Return what a file of the kernel's says, nothing where there is none."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
