"""A kernel that works in silence keeps its server from being taken for idle."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

import httpx
from jupyter_client.blocking import BlockingKernelClient

from .labs import make_home, running_lab, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from .labs import Lab


def last_activity(lab: Lab) -> datetime:
    headers = {"Authorization": f"token {lab.token}"}
    status = httpx.get(f"{lab.url}/api/status", headers=headers, trust_env=False).json()
    return datetime.fromisoformat(status["last_activity"])


def test_a_silent_cell_is_activity_and_an_idle_kernel_is_none(tmp_path: Path) -> None:
    with running_lab(make_home(tmp_path / "home"), {}) as lab:
        headers = {"Authorization": f"token {lab.token}"}
        kernel = httpx.post(f"{lab.url}/api/kernels", headers=headers, json={}, trust_env=False, timeout=60).json()[
            "id"
        ]
        client = BlockingKernelClient()
        client.load_connection_file(str(lab.home / ".local/share/jupyter/runtime" / f"kernel-{kernel}.json"))
        client.start_channels()
        client.wait_for_ready(timeout=60)
        begun = last_activity(lab)
        time.sleep(12)
        assert last_activity(lab) == begun

        client.execute("import time; time.sleep(600)")
        wait_until(lambda: last_activity(lab) > begun, 10, "the start of a cell is no activity")
        at_work = last_activity(lab)
        wait_until(lambda: last_activity(lab) > at_work, 25, "a silent cell is no activity")
        client.stop_channels()
