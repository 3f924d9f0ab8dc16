"""What this process may use of the machine: a container's limits count, not the machine's size."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")

M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -3, -1
"""Options of the GNU C library's ``mallopt``: from which size on blocks come from the system, and go back to it."""

LARGEST_INT = 2**31 - 1


def processors() -> int:
    """Return how many processors this process may use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _limit("cpu.max").partition(" ")
    return max(1, min(allowed, int(quota) // int(period))) if quota.isdigit() else allowed


def free_memory() -> int:
    """Return how many bytes of memory this process may still take."""
    free = int(psutil.virtual_memory().available)
    limit, used = _limit("memory.max"), _limit("memory.current")
    return max(0, min(free, int(limit) - int(used))) if limit.isdigit() and used.isdigit() else free


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, for its next use.

    Left alone, the GNU C library gives large blocks back at once and gets them anew page by page: twenty thousand
    page faults a training step, and augmentation in twice the time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            mallopt(option, LARGEST_INT)


def _limit(name: str) -> str:
    """Return what the kernel says of this process's control group (version 2), nothing where there is none."""
    try:
        group = Path("/proc/self/cgroup").read_text().partition("0::")[2].partition("\n")[0]
        for folder in (CGROUP / group.lstrip("/"), CGROUP):
            if (folder / name).is_file():
                return (folder / name).read_text().strip()
    except OSError:
        pass
    return ""
