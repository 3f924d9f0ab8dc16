"""What this process may use: the container's limits count, not the machine's size."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import torch

from imagine_lib import hardware
from imagine_lib.models import network
from imagine_lib.models.network import best_device

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A control group of version 2 whose files the test writes."""
    monkeypatch.setattr(hardware, "CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(hardware, "MEMBERSHIP", tmp_path / "membership")
    (tmp_path / "membership").write_text("0::/pod/container\n")
    (tmp_path / "cgroup" / "pod" / "container").mkdir(parents=True)
    return tmp_path / "cgroup"


@pytest.mark.parametrize(("quota", "allowed"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", None)])
def test_processors_are_those_of_the_container(limits: Path, quota: str, allowed: int | None) -> None:
    unlimited = hardware.processors()
    (limits / "cpu.max").write_text(quota)
    assert hardware.processors() == (allowed or unlimited)


def test_free_memory_is_that_of_the_container(limits: Path) -> None:
    assert hardware.free_memory() > 0
    (limits / "memory.max").write_text("2000000\n")
    (limits / "memory.current").write_text("500000\n")
    assert hardware.free_memory() == 1_500_000
    (limits / "memory.max").write_text("max\n")
    assert hardware.free_memory() > 1_500_000


def test_what_files_left_in_memory_is_free(limits: Path) -> None:
    (limits / "memory.max").write_text("2000000\n")
    (limits / "memory.current").write_text("1900000\n")
    (limits / "memory.stat").write_text("anon 400000\nactive_file 100000\ninactive_file 1400000\nslab 0\n")
    assert hardware.free_memory() == 1_500_000


def test_the_tightest_group_around_the_process_counts(limits: Path) -> None:
    for group, limit in (("pod", 3_000_000), ("pod/container", 9_000_000)):
        (limits / group / "memory.max").write_text(str(limit))
        (limits / group / "memory.current").write_text("1000000")
    (limits / "pod" / "cpu.max").write_text("100000 100000")
    assert hardware.free_memory() == 2_000_000
    assert hardware.processors() == 1


def test_version_1_of_control_groups_is_understood(limits: Path) -> None:
    (limits.parent / "membership").write_text("7:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n")
    (limits / "memory").mkdir()  # a container sees its own group as the top one
    (limits / "memory" / "memory.limit_in_bytes").write_text("2000000\n")
    (limits / "memory" / "memory.usage_in_bytes").write_text("1500000\n")
    (limits / "memory" / "memory.stat").write_text("inactive_file 5\ntotal_inactive_file 500000\n")
    assert hardware.free_memory() == 1_000_000
    unlimited = hardware.processors()
    (limits / "cpu").mkdir()
    (limits / "cpu" / "cpu.cfs_period_us").write_text("100000")
    (limits / "cpu" / "cpu.cfs_quota_us").write_text("-1")
    assert hardware.processors() == unlimited
    (limits / "cpu" / "cpu.cfs_quota_us").write_text("100000")
    assert hardware.processors() == 1


def test_torch_takes_no_more_threads_than_there_are_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        monkeypatch.setattr(network, "processors", lambda: 1)
        best_device("cpu")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


KEEPING = """
import ctypes, psutil
from imagine_lib.hardware import keeping_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
resident = psutil.Process().memory_info

def use(size):
    blocks = [libc.malloc(size) for _ in range(200_000_000 // size)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    for block in blocks:
        libc.free(block)

before = resident().rss
with keeping_freed_memory():
    use(1_000_000)
    kept = resident().rss - before
after = resident().rss - before
assert kept > 150e6, kept
assert after < 50e6, after
use(40_000_000)
assert resident().rss - before < 50e6  # large blocks go back at once again
"""


def test_freed_memory_is_kept_for_a_while_and_then_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", KEEPING], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
