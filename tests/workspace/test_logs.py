"""Logs are kept short, whoever writes to them and however fast."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from hub_config.local.logs import LARGEST, shorten
from tests.workspace.processes import until

if TYPE_CHECKING:
    from pathlib import Path

FAST = """
import os, sys
block = b"x" * 65536
while True:
    os.write(1, block)
    if os.fstat(1).st_size > 400 * 1024**2:
        os.ftruncate(1, 0)  # the test's own disk
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "hub.log"


def test_a_short_log_is_let_be(log: Path, tmp_path: Path) -> None:
    log.write_text("a line\n")
    shorten(tmp_path)
    assert log.read_text() == "a line\n"
    assert not log.with_name("hub.log.1").exists()


def test_what_is_kept_has_a_bound_while_somebody_writes(log: Path, tmp_path: Path) -> None:
    with log.open("ab") as output, subprocess.Popen(["python3", "-c", FAST], stdout=output) as writer:
        try:
            until(lambda: log.stat().st_size > 2 * LARGEST, 30, "a log that is too long")
            shorten(tmp_path)
        finally:
            writer.kill()
    assert log.with_name("hub.log.1").stat().st_size <= LARGEST


def test_a_log_begins_anew_also_where_its_end_cannot_be_kept(log: Path, tmp_path: Path) -> None:
    log.write_bytes(b"x" * (LARGEST + 1))
    log.with_name("hub.log.1").mkdir()
    with pytest.raises(OSError, match="directory"):
        shorten(tmp_path)
    assert log.stat().st_size == 0
