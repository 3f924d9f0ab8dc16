"""The whole workspace as real processes, on ports and in folders of its own."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from hub_config.local.places import MARK

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
START_SECONDS = 180
FORM_FIELD = re.compile(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"')


def free_ports(count: int) -> int:
    """Return the first of some ports in a row that nobody uses."""
    for first in range(21_000, 29_000, 50):
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

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {MARK: str(self.state), "PORT": str(self.port)}

    @property
    def passwords(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.state / "secrets" / "demo-passwords.json").read_text())
        return found

    def service(self, name: str) -> str:
        offsets = {"iam": 1, "storage": 2, "hub": 3, "proxy_api": 4, "platform": 5}
        return f"http://127.0.0.1:{self.port + offsets[name]}"

    def start(self) -> float:
        """Start it, and return the seconds until it said that it is ready."""
        output = (self.folder / "supervisor.log").open("a+")
        begin, at = time.monotonic(), output.tell()
        command = [sys.executable, "-m", "hub_config.local"]
        self.process = subprocess.Popen(
            command, cwd=PROJECT, env=self.environment, stdout=output, stderr=output, text=True
        )
        while time.monotonic() - begin < START_SECONDS:
            output.seek(at)
            self.said = output.read()
            if "The workspace is ready" in self.said:
                return time.monotonic() - begin
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"the workspace did not start: {self.said}\n{self.logs()}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(90)

    def logs(self) -> str:
        return "\n".join(
            f"== {log.name}\n{log.read_text()[-3000:]}" for log in sorted((self.state / "logs").glob("*.log"))
        )

    def sign_in(self, user: str, password: str | None = None) -> httpx.Client:
        """Sign in as a browser does, and return a client with the cookies."""
        client = httpx.Client(base_url=self.url, follow_redirects=True, timeout=60, trust_env=False)
        page = client.get("/hub/oauth_login")
        fields = {name: html.unescape(value) for name, value in FORM_FIELD.findall(page.text)}
        fields |= {"login": user, "password": password or self.passwords[user]}
        answer = client.post(str(page.url), data=fields, headers={"Referer": str(page.url)})
        client.headers["X-XSRFToken"] = client.cookies.get("_xsrf", path="/hub/") or ""
        client.page = answer  # type: ignore[attr-defined]
        return client

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
def workspace(workspace_folder: Path) -> Iterator[Workspace]:
    """A workspace that is there for all tests of a session."""
    if not (PROJECT / ".local" / "proxy" / "node_modules").is_dir():
        pytest.skip("the proxy is not installed: make test installs it")
    running = Workspace(workspace_folder / "shared")
    running.folder.mkdir(mode=0o711)
    running.start()
    yield running
    running.stop()
