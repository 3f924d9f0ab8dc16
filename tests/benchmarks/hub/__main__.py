"""``make bench-hub``: the hub's work for 500 users beside stock JupyterHub's, and the platform's for 1,000.

Both hubs run as processes of their own, one after the other, with the same IAM, the same database and servers that are nothing but an
address. What is measured is the hub process's own processor time.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import yaml

from tests.benchmarks.hardware import PROJECT, write_results
from tests.benchmarks.hub.load import Person, each, p99

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.hardware import Row

HERE = Path(__file__).parent
SYSTEMS = ("stock", "ours")
POSTS = 4
"""Activity that each server reports."""
AT_ONCE = 50
SCOPES = ["access:services!service=imagine", "read:users:name!user", "read:users:groups!user"]
READS = ("/me", "/catalogue?q=plankton", "/models", "/status", "/capacity")


def main() -> None:
    """Measure, compare, write."""
    parser = argparse.ArgumentParser("bench-hub")
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--smoke", action="store_true", help="20 users: does it run? These figures are not kept")
    options = parser.parse_args()
    users = 20 if options.smoke else options.users
    measured = {system: _measure(system, users) for system in SYSTEMS}
    rows: list[Row] = []
    for what, (value, unit) in measured["ours"].items():
        stock = measured["stock"].get(what, (None, unit))[0]
        row: Row = {"measure": what, "unit": unit, "imagine": round(value, 2)}
        row |= {"stock": "" if stock is None else round(stock, 2)}
        row |= {"difference": "" if stock is None else round(value - stock, 2)}
        rows.append(row | {"users": users})
    write_results("hub", rows, options.smoke)


def _measure(system: str, users: int) -> dict[str, tuple[float, str]]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = Bench(Path(folder), system)
        stack.enter_context(bench.running())
        return asyncio.run(bench.measure(users))


class Bench:
    """A hub of one kind, and what it stands on.

    Parameters
    ----------
    folder
        An empty one.
    system
        ``ours`` or ``stock``.
    """

    def __init__(self, folder: Path, system: str) -> None:
        self._folder, self._system = folder, system
        self._ports = dict(zip(("hub", "iam", "server", "platform"), _free_ports(4), strict=True))
        self._token = secrets.token_hex(16)
        self._urls = {name: f"http://127.0.0.1:{port}" for name, port in self._ports.items()}
        (folder / "tokens").mkdir()
        (folder / "given.json").write_text(json.dumps(self._ports | {"token": self._token}))
        for name in ("iam-client", "platform-token", "operator-token"):
            (folder / name).write_text(secrets.token_hex(16))
        settings = {
            "public_url": self._urls["hub"],
            "hub_listen": f"127.0.0.1:{self._ports['hub']}",
            "state": str(folder / "state"),
            "audit_file": str(folder / "audit"),
            "operator_token_file": str(folder / "operator-token"),
            "iam": {"issuer": self._urls["iam"], "client_secret_file": str(folder / "iam-client")},
            "storage": {"by_sign_in": False},
            "platform": {
                "listen": f"127.0.0.1:{self._ports['platform']}",
                "database_url": f"sqlite:///{folder}/platform.sqlite",
                "model_store": str(folder / "models"),
                "token_file": str(folder / "platform-token"),
            },
        }
        (folder / "state").mkdir()
        (folder / "settings.yaml").write_text(yaml.safe_dump(settings))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start all processes, and end them."""
        commands = {
            "iam": ["-m", "tests.benchmarks.hub.issuer", str(self._ports["iam"])],
            "server": ["-m", "tests.benchmarks.hub.server", str(self._ports["server"])],
            "hub": ["-m", "jupyterhub", "-f", str(HERE / "config.py")],
        }
        paths = {"iam": "/jwks", "server": "/", "hub": "/hub/api/health", "platform": "/services/imagine/healthz"}
        if self._system == "ours":
            commands |= {
                "controller": ["-m", "hub_config.platform.controller"],
                "platform": ["-m", "hub_config.platform"],
            }
        environment = os.environ | {
            "BENCH_FOLDER": str(self._folder),
            "BENCH_SYSTEM": self._system,
            "IMAGINE_SETTINGS": str(self._folder / "settings.yaml"),
            "PYTHONPATH": str(PROJECT),
        }
        processes: dict[str, subprocess.Popen[bytes]] = {}
        try:
            for name, command in commands.items():
                log = (self._folder / f"{name}.log").open("wb")
                processes[name] = subprocess.Popen(
                    [sys.executable, *command], cwd=self._folder, env=environment, stdout=log, stderr=log
                )
                if name in paths:
                    _wait(self._urls[name] + paths[name], processes[name], self._folder / f"{name}.log")
            self._hub = psutil.Process(processes["hub"].pid)
            self._platform = psutil.Process(processes["platform"].pid) if "platform" in processes else None
            yield
        finally:
            for process in processes.values():
                process.terminate()
            for process in processes.values():
                process.wait(30)

    async def measure(self, users: int) -> dict[str, tuple[float, str]]:
        """Let everyone sign in, start a server and report activity; then read from the platform."""
        found: dict[str, tuple[float, str]] = {}
        people = [Person(self._urls["hub"], self._urls["iam"], f"user{n}") for n in range(users)]
        empty = self._hub.memory_info().rss

        spent = self._spent()
        _, took = await each(people, Person.sign_in, AT_ONCE)
        found["hub's processor time for a sign-in"] = ((self._spent() - spent) / users * 1000, "ms")
        found["sign-in, 99 % within"] = (p99(took), "s")

        spent = self._spent()
        await each(people, Person.start_server, AT_ONCE)
        await self._wait_for_servers(users)
        found["hub's processor time for a start"] = ((self._spent() - spent) / users * 1000, "ms")
        found["hub's memory for a user with a server"] = ((self._hub.memory_info().rss - empty) / users / 1000, "kB")

        tokens = [(path.name, path.read_text()) for path in sorted((self._folder / "tokens").iterdir())]
        spent = self._spent()
        _, took = await self._report(tokens)
        found["hub's processor time for a report of activity"] = (
            (self._spent() - spent) / users / POSTS * 1000,
            "ms",
        )
        if self._platform:
            found |= await self._read_platform(tokens, users)
        for person in people:
            await person.aclose()
        return found

    async def _wait_for_servers(self, users: int) -> None:
        headers = {"Authorization": f"token {self._token}"}
        async with httpx.AsyncClient(headers=headers, timeout=60, trust_env=False) as client:
            for _ in range(600):
                params = {"state": "ready", "limit": 1}
                accept = {"Accept": "application/jupyterhub-pagination+json"}
                answer = await client.get(f"{self._urls['hub']}/hub/api/users", params=params, headers=accept)
                if answer.json()["_pagination"]["total"] == users:
                    return
                await asyncio.sleep(0.5)
        raise TimeoutError("Not every server came up.")

    async def _report(self, tokens: list[tuple[str, str]]) -> tuple[float, list[float]]:
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:

            async def post(who: tuple[str, str]) -> None:
                name, token = who
                now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                answer = await client.post(
                    f"{self._urls['hub']}/hub/api/users/{name}/activity",
                    headers={"Authorization": f"token {token}"},
                    json={"servers": {"": {"last_activity": now}}, "last_activity": now},
                )
                assert answer.status_code == 200, answer.text

            return await each(tokens * POSTS, post, AT_ONCE)

    async def _read_platform(self, tokens: list[tuple[str, str]], users: int) -> dict[str, tuple[float, str]]:
        """Twice as many people read as there are servers: half of them have no server, and made a token."""
        tokens = tokens + await self._more_tokens(users)
        reads = list(itertools.product(tokens, READS))
        base = f"{self._urls['platform']}/services/imagine"
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:

            async def read(what: tuple[tuple[str, str], str]) -> None:
                (_, token), path = what
                answer = await client.get(base + path, headers={"Authorization": f"token {token}"})
                assert answer.status_code == 200, answer.text

            await each([(one, "/me") for one in tokens], read, AT_ONCE)  # the hub is asked about each token once
            seconds, took = await each(reads, read, AT_ONCE)
        return {
            f"platform's answers to {len(tokens)} users": (len(reads) / seconds, "a second"),
            "platform's answers, 99 % within": (p99(took) * 1000, "ms"),
            "platform's memory": (self._platform.memory_info().rss / 1e6 if self._platform else 0, "MB"),
        }

    async def _more_tokens(self, users: int) -> list[tuple[str, str]]:
        found = []

        async def sign_in(person: Person) -> None:
            await person.sign_in()
            made = await person.post(f"/hub/api/users/{person.name}/tokens", json={"scopes": SCOPES})
            found.append((person.name, made.json()["token"]))
            await person.aclose()

        readers = [Person(self._urls["hub"], self._urls["iam"], f"reader{n}") for n in range(users)]
        await each(readers, sign_in, AT_ONCE)
        return found

    def _spent(self) -> float:
        times = self._hub.cpu_times()
        return float(times.user + times.system)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            httpx.get(url, trust_env=False, timeout=5)
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError(log.read_text())


def _free_ports(count: int) -> list[int]:
    probes: list[Any] = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


if __name__ == "__main__":
    main()
