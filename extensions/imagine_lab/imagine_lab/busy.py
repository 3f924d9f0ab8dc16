"""Counts a kernel at work as activity: what runs for hours without a word is not culled for being idle."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tornado.ioloop import PeriodicCallback

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

SECONDS = 10.0
NAME = "imagine_busy_kernel"


def count_busy_kernels(server_app: ServerApp, seconds: float = SECONDS) -> None:
    """Look at the server's kernels every so many seconds, and note when one was at work."""

    def look() -> None:
        kernels: list[dict[str, str]] = server_app.kernel_manager.list_kernels()  # type: ignore[no-untyped-call]
        if any(kernel["execution_state"] == "busy" for kernel in kernels):
            server_app.web_app.settings["last_activity_times"][NAME] = datetime.now(UTC)

    PeriodicCallback(look, seconds * 1000).start()
