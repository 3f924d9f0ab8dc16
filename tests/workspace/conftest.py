"""The whole workspace as real processes, on ports and in folders of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hub_config.local.places import CHOSEN
from tests.workspace import processes
from tests.workspace.person import Person

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psutil

PROJECT = Path(__file__).parents[2]
START_SECONDS = 180


def free_ports(count: int) -> int:
    """Return the first of some ports in a row that nobody uses, elsewhere in each process that looks at one time."""
    for attempt in range(160):
        first = 21_000 + 50 * ((os.getpid() + attempt) % 160)
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise RuntimeError("no ports are free")


@dataclass
class Workspace:
    """A workspace under test."""

    folder: Path
    port: int = field(default_factory=lambda: free_ports(6))
    process: subprocess.Popen[str] | None = None
    said: str = ""
    account: dict[str, Any] = field(default_factory=dict)
    """``user``, ``group`` and ``extra_groups`` of the processes, where it does not run as we do."""
    changes: dict[str, str] = field(default_factory=dict)
    """Variables that it starts with."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {CHOSEN: str(self.state), "PORT": str(self.port)} | self.changes

    @property
    def log(self) -> Path:
        return self.folder / "supervisor.log"

    @property
    def passwords(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.state / "secrets" / "demo-passwords.json").read_text())
        return found

    def address(self, name: str) -> str:
        """Return where a service answers."""
        offsets = {"iam": 1, "storage": 2, "hub": 3, "proxy_api": 4, "platform": 5}
        return f"http://127.0.0.1:{self.port + offsets[name]}"

    def start(self) -> float:
        """Start it, and return the seconds until it said that it is ready."""
        begin = time.monotonic()
        at = self.launch()
        while time.monotonic() - begin < START_SECONDS:
            self.said = self.heard(at)
            if "The workspace is ready" in self.said:
                return time.monotonic() - begin
            if self.process is None or self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"the workspace did not start: {self.said}\n{self.logs()}")

    def launch(self) -> int:
        """Start it without waiting, and return where in its output this start begins."""
        with self.log.open("a") as output:
            at = output.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hub_config.local"],
                cwd=PROJECT, env=self.environment, stdout=output, stderr=output, text=True, **self.account,
            )  # fmt: skip
        return at

    def heard(self, at: int = 0) -> str:
        """Return what it has printed from some place on."""
        with self.log.open() as output:
            output.seek(at)
            return output.read()

    def refuse_to_start(self) -> str:
        """Start it where it cannot start, and return what it says; it must end with 1."""
        done = subprocess.run(
            [sys.executable, "-m", "hub_config.local"],
            cwd=PROJECT, env=self.environment, capture_output=True, text=True, timeout=30, check=False, **self.account,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        return done.stderr

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(90)

    def end(self) -> None:
        """Stop it, also where it was killed, and take the uids' processes and the mounts away."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        command = [sys.executable, "-m", "hub_config.local.stop"]
        subprocess.run(command, cwd=PROJECT, env=self.environment, check=True, capture_output=True, **self.account)

    def logs(self) -> str:
        return "\n".join(
            f"== {log.name}\n{log.read_text()[-3000:]}" for log in sorted((self.state / "logs").glob("*.log"))
        )

    def person(self, name: str) -> Person:
        """Return a client of someone who is not signed in."""
        return Person(self, name)

    def sign_in(self, name: str, password: str | None = None) -> Person:
        """Return a client of someone who is signed in."""
        person = self.person(name)
        page = person.sign_in(password)
        assert page.url.path in ("/hub/spawn", "/hub/home") or "/user/" in page.url.path, page.text
        return person

    def uids(self) -> dict[str, int]:
        """Return the uid of each user who has had a server here."""
        table = self.state / "accounts.json"
        found: dict[str, int] = json.loads(table.read_text())["uids"] if table.exists() else {}
        return found

    def processes(self) -> list[psutil.Process]:
        """Return everything that runs for this workspace, users' processes included."""
        return processes.of_workspace(self.state, set(self.uids().values()))

    def mounts(self) -> list[str]:
        """Return what is mounted for it."""
        return processes.mounts_below(self.folder)

    def server_of(self, user: str) -> psutil.Process:
        """Return a user's running server."""
        found = [
            process
            for process in self.processes()
            if "jupyterhub-singleuser" in processes.command(process) and process.environ()["USER"] == user
        ]
        assert len(found) == 1, found
        return found[0]

    def service(self, name: str) -> psutil.Process:
        """Return a service's process."""
        return processes.service(self.state, name)

    def token(self, user: str) -> str:
        """Return a token of a user, as their server has one."""
        code = (
            "import sys; from jupyterhub import orm; "
            "db = orm.new_session_factory(f'sqlite:///{sys.argv[1]}')(); user = orm.User.find(db, sys.argv[2]); "
            "print(user.new_api_token(expires_in=3600))"
        )
        command = [sys.executable, "-c", code, str(self.state / "hub" / "hub.sqlite"), user]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="session")
def workspace_folder() -> Iterator[Path]:
    """A folder that other accounts can pass through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="imagine-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def needs_proxy() -> None:
    """Skip where `make test` has not installed the proxy."""
    if not (PROJECT / ".local" / "proxy" / "node_modules").is_dir():
        pytest.skip("the proxy is not installed: make test installs it")


@pytest.fixture(scope="session")
def workspace(workspace_folder: Path, needs_proxy: None) -> Iterator[Workspace]:
    """A workspace that is there for all tests of a session."""
    with running(workspace_folder / "shared") as shared:
        yield shared


@contextmanager
def running(folder: Path, **settings: Any) -> Iterator[Workspace]:
    """Start a workspace in a new folder; whatever the test does to it, nothing of it is left."""
    folder.mkdir(mode=0o711)
    workspace = Workspace(folder, **settings)
    if "user" in workspace.account:
        os.chown(folder, workspace.account["user"], workspace.account["group"])
    try:
        workspace.start()
        yield workspace
    finally:
        workspace.end()
