"""What this process may use: the container's limits count, not the machine's size."""

from __future__ import annotations

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
    """A control group whose files the test writes."""
    monkeypatch.setattr(hardware, "CGROUP", tmp_path)
    return tmp_path


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


def test_torch_takes_no_more_threads_than_there_are_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        monkeypatch.setattr(network, "processors", lambda: 1)
        best_device("cpu")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_freed_memory_is_kept_without_harm() -> None:
    hardware.keep_freed_memory()
    blocks = [torch.zeros(4_000_000) for _ in range(8)]
    del blocks
    assert float(torch.zeros(10).sum()) == 0
