"""Start, watch and stop the workspace's services as one.

Each service is a process of its own and a child of the supervisor, never of the hub, so that a restart of one touches
no other. A service that dies is started again, more slowly each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from hub_config.local.services import Service

log = logging.getLogger(__name__)

READY_SECONDS = 60
STOP_SECONDS = 25
"""How long a service may take to end; the hub stops the users' servers in this time."""

LONGEST_PAUSE = 30


class NotReadyError(Exception):
    """A service did not come up; the message says which and where to look."""


class Supervisor:
    """Keeps the services running.

    Parameters
    ----------
    services
        In the order in which they start; they stop in the opposite one.
    environment
        What all of them share.
    logs
        Folder for what they print.
    cwd
        Where they run.
    """

    def __init__(self, services: list[Service], environment: dict[str, str], logs: Path, cwd: Path) -> None:
        self._services, self._environment, self._logs, self._cwd = services, environment, logs, cwd
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._watchers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start all services and wait until each is ready.

        Raises
        ------
        NotReadyError
            One of them is not, in a minute.
        """
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        for service in self._services:
            self._processes[service.name] = await self._launch(service)
        await asyncio.gather(*(self._wait_until_ready(service) for service in self._services))
        self._watchers = [asyncio.create_task(self._watch(service)) for service in self._services]

    async def stop(self) -> None:
        """Stop all services: the hub first, which ends the users' servers."""
        for watcher in self._watchers:
            watcher.cancel()
        for service in reversed(self._services):
            process = self._processes.get(service.name)
            if process is not None and process.returncode is None:
                await self._end(service, process)

    async def _launch(self, service: Service) -> asyncio.subprocess.Process:
        with (self._logs / f"{service.name}.log").open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *service.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment | service.environment,
                cwd=self._cwd,
                start_new_session=True,  # Ctrl-C is for the supervisor, which ends the others in their order
            )

    async def _wait_until_ready(self, service: Service) -> None:
        process, deadline = self._processes[service.name], time.monotonic() + READY_SECONDS
        while service.ready_url and not await asyncio.to_thread(_answers, service.ready_url):
            if process.returncode is not None or time.monotonic() > deadline:
                log_file = self._logs / f"{service.name}.log"
                raise NotReadyError(f"The {service.name} service did not start; the end of {log_file} says why.")
            await asyncio.sleep(0.1)

    async def _watch(self, service: Service) -> None:
        pause = 0.5
        while True:
            started = time.monotonic()
            code = await self._processes[service.name].wait()
            pause = 0.5 if time.monotonic() - started > LONGEST_PAUSE else min(pause * 2, LONGEST_PAUSE)
            log.warning("The %s service ended with code %s and starts again in %.0f s", service.name, code, pause)
            await asyncio.sleep(pause)
            self._processes[service.name] = await self._launch(service)

    async def _end(self, service: Service, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            log.warning("The %s service did not end in %d s and is killed", service.name, STOP_SECONDS)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
