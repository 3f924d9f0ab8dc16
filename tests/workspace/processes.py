"""What runs and what is mounted for a workspace, as the machine itself sees it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from hub_config.local.places import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COMMANDS = {
    "iam": "hub_config.local.iam",
    "storage": "hub_config.local.storage",
    "platform": "hub_config.platform",
    "controller": "hub_config.platform.controller",
    "proxy": "configurable-http-proxy",
    "hub": "jupyterhub",
}


def of_workspace(state: Path, uids: set[int]) -> list[psutil.Process]:
    """Return every process with the workspace's mark, and every one that runs as one of its users."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _is(process, state, uids)]


def _is(process: psutil.Process, state: Path, uids: set[int]) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.uids().real in uids or process.environ().get(MARK) == str(state)
    except psutil.Error:
        return False


def command(process: psutil.Process) -> str:
    """Return a process's command line, nothing where it has ended since it was listed."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def service(state: Path, name: str) -> psutil.Process:
    """Return a service's process: of the IAM, which has a worker, the one that was started."""
    word = re.compile(rf"(^|/|\s){re.escape(COMMANDS[name])}(\s|$)")
    found = [process for process in of_workspace(state, set()) if word.search(command(process))]
    assert found, f"{name} does not run"
    return min(found, key=lambda process: process.create_time())


def mounts_below(folder: Path) -> list[str]:
    """Return what is mounted in a folder, without touching it."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in points if point.startswith(f"{folder}/")]


def until(true: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait for something; return it."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"in {seconds:.0f} s {what} did not happen"
        time.sleep(0.1)
    return found


def run_as(uid: int, code: str, environment: Mapping[str, str], **given: Any) -> subprocess.CompletedProcess[str]:
    """Run Python code as a user of this machine; ``given`` are its variables."""
    lines = [f"{name} = {value!r}" for name, value in given.items()]
    return subprocess.run(
        [sys.executable, "-c", "\n".join([*lines, code])],
        user=uid, group=uid, extra_groups=[], env=dict(environment), cwd="/",
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
