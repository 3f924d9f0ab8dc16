"""Whose socket listens, also for a root that may not trace other accounts' processes, as in a container."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from hub_config.local.places import runs_as_root
from tests.workspace.conftest import PROJECT

SOMEBODY, SOMEBODY_ELSE = 64_001, 64_002
LISTEN = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); time.sleep(60)"
NOT_TRACING = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]


@pytest.mark.skipif(not runs_as_root(), reason="only root can start processes of other accounts")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (of util-linux) is not installed")
def test_a_socket_is_known_by_its_account_without_the_right_to_trace() -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", LISTEN], user=SOMEBODY, group=SOMEBODY, extra_groups=[], stdout=subprocess.PIPE, text=True,
        cwd="/",
    )  # fmt: skip
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        asked = f"""
from hub_config.spawn.ports import listens
print(listens({port}, {SOMEBODY}, {server.pid}), listens({port}, {SOMEBODY_ELSE}, {server.pid}), listens(1, {SOMEBODY}, {server.pid}))
"""
        command = [*NOT_TRACING, sys.executable, "-c", asked]
        said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
        assert said.split() == ["True", "False", "False"]
    finally:
        server.kill()
        server.wait()
