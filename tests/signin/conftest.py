"""A real hub and a real IAM, with a passage between them that can fail."""

from __future__ import annotations

import html
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from tests.signin.passage import Passage

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
SECRET, PASSWORD = "a-client-secret-of-these-tests", "sea-urchin-of-2026"
USERS = {"rosa": ["imagine-users"], "nils": ["imagine-users", "imagine-users/dev"], "otto": ["others"]}
FIELD = re.compile(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"')


class Hub:
    """The hub, its IAM, and what the tests do to them."""

    def __init__(
        self,
        folder: Path,
        dress: str = "plain",
        token_seconds: int = 3600,
        storage: dict[str, Any] | None = None,
        **iam: Any,
    ) -> None:
        self.folder = folder
        self.port, self.iam_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.passage = Passage(f"http://127.0.0.1:{self.iam_port}")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = os.environ | {
            "IMAGINE_IAM_STATE": str(folder / "iam"),
            "IMAGINE_IAM_URL": self.passage.url,
            "IMAGINE_IAM_LISTEN": f"127.0.0.1:{self.iam_port}",
            "IMAGINE_IAM_DRESS": dress,
            "IMAGINE_IAM_TOKEN_SECONDS": str(token_seconds),
            "IMAGINE_SETTINGS": str(folder / "settings.yml"),
            "SMALL_HUB_TOKENS": str(folder / "tokens"),
            "SMALL_HUB_REFRESH_AGE": "1",
        }
        for name in ("state", "tokens"):
            (folder / name).mkdir()
        (folder / "secret").write_text(SECRET)
        for name in ("operator", "platform"):
            (folder / f"{name}-token").write_text(f"the-{name}-token-of-these-tests")
        settings = {
            "public_url": self.url,
            "hub_listen": f"127.0.0.1:{self.port}",
            "state": str(folder / "state"),
            "audit_file": str(folder / "audit.jsonl"),
            "operator_token_file": str(folder / "operator-token"),
            "platform": {"token_file": str(folder / "platform-token")},
            "storage": storage or {},
            "iam": {"issuer": self.passage.url, "client_secret_file": str(folder / "secret"), **iam},
        }
        (folder / "settings.yml").write_text(yaml.safe_dump(settings))

    def start(self) -> None:
        """Bring both up."""
        self.seed()
        self.start_iam()
        self.start_hub()

    def seed(self) -> None:
        """Put the users into the IAM."""
        users = [
            {"username": name, "name": name.title(), "email": f"{name}@example.org", "groups": groups}
            for name, groups in USERS.items()
        ]
        client = {
            "id": "imagine-workspace",
            "secret": SECRET,
            "name": "Workspace",
            "redirect_uris": [f"{self.url}/hub/oauth_callback"],
            "post_logout_redirect_uris": [f"{self.url}/hub/"],
        }
        seed = {"users": [user | {"password": PASSWORD} for user in users], "clients": [client]}
        self.iam_does("hub_config.local.iam.seed", json.dumps(seed))

    def iam_does(self, module: str, text: str) -> None:
        """Run one of the IAM's programs."""
        command = [sys.executable, *(["-c", module] if "\n" in module else ["-m", module])]
        done = subprocess.run(command, input=text, env=self.environment, text=True, capture_output=True, cwd=PROJECT)
        assert done.returncode == 0, done.stderr

    def change_account(self, line: str) -> None:
        """Do something to an account in the IAM's database, as an administrator would: ``rosa.groups.clear()``."""
        name = line.split(".")[0]
        self.iam_does(
            "import sys\nfrom hub_config.local.iam import state\nstate.prepare()\n"
            "from hub_config.local.iam.models import User\n"
            f"{name} = User.objects.get(username={name!r})\nexec(sys.stdin.read())",
            line,
        )

    def start_iam(self) -> None:
        self._start(
            "iam", [sys.executable, "-m", "hub_config.local.iam"], f"http://127.0.0.1:{self.iam_port}/healthz"
        )

    def start_hub(self) -> None:
        config = Path(__file__).with_name("small_hub.py")
        command = [sys.executable, "-m", "jupyterhub", "-f", str(config)]
        self._start("hub", command, f"{self.url}/hub/health")

    def _start(self, name: str, command: list[str], address: str) -> None:
        with (self.folder / f"{name}.log").open("a") as log:
            self.processes[name] = subprocess.Popen(
                command, env=self.environment | {"PYTHONPATH": str(PROJECT)}, cwd=self.folder, stdout=log, stderr=log
            )
        until(lambda: answers(address), f"{name}: {self.log(name)}", 60)

    def stop(self, name: str) -> None:
        """End a process."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        process.wait(30)

    def log(self, name: str = "hub") -> str:
        """Return what a process has written."""
        return (self.folder / f"{name}.log").read_text()

    def audit(self) -> list[dict[str, Any]]:
        """Return the audit log."""
        return [json.loads(line) for line in (self.folder / "audit.jsonl").read_text().splitlines()]

    def server_token(self, name: str) -> str:
        """Return the hub token that a user's server got."""
        return (self.folder / "tokens" / name).read_text()

    def borrow(self, token: str, **query: str) -> httpx.Response:
        """Ask the broker."""
        headers = {"Authorization": f"token {token}"}
        return httpx.get(f"{self.url}/hub/imagine/token", params=query, headers=headers, trust_env=False, timeout=60)

    def operate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``imagine-hub``."""
        command = [
            sys.executable,
            "-c",
            "import sys; from hub_config.operate import main; sys.exit(main())",
            *arguments,
        ]
        return subprocess.run(
            command, env=self.environment, cwd=PROJECT, text=True, capture_output=True, check=False, timeout=120
        )

    def refreshes(self) -> int:
        """Return how often the hub has renewed a token."""
        return self.passage.counts["/oauth/token refresh"]


class Visitor(httpx.Client):
    """Somebody's browser."""

    def __init__(self, hub: Hub, name: str) -> None:
        super().__init__(base_url=hub.url, follow_redirects=True, timeout=60, trust_env=False)
        self.name = name

    def sign_in(self) -> httpx.Response:
        """Sign in from the front door."""
        page = self.get("/hub/oauth_login", params={"next": "/hub/home"})
        hidden = {name: html.unescape(value) for name, value in FIELD.findall(page.text)}
        form = hidden | {"login": self.name, "password": PASSWORD}
        page = self.post(page.url, data=form, headers={"Referer": str(page.url)})
        self.headers["X-XSRFToken"] = self.cookies.get("_xsrf", path="/hub/") or ""
        return page

    def start_server(self) -> httpx.Response:
        """Ask the hub's API for a server."""
        return self.post(f"/hub/api/users/{self.name}/server", json={})

    def servers(self) -> dict[str, Any]:
        """Return the servers that the hub knows of."""
        found: dict[str, Any] = self.get(f"/hub/api/users/{self.name}").json()["servers"]
        return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(address: str) -> bool:
    try:
        return httpx.get(address, trust_env=False, timeout=5).is_success
    except httpx.TransportError:
        return False


def until(holds: Any, what: str, seconds: float = 20) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not in {seconds} s: {what}"
        time.sleep(0.1)


@contextmanager
def running(folder: Path, **choices: Any) -> Iterator[Hub]:
    """Run a hub with its IAM."""
    hub = Hub(folder, **choices)
    try:
        hub.start()
        yield hub
    finally:
        for name in list(hub.processes):
            hub.stop(name)
        hub.passage.close()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub whose tokens last two seconds beyond what the hub keeps in spare, and which looks again every second."""
    choices = {"token_seconds": 62, "patience": 2.0, "grace": 600, "reconcile_interval": 2.0, "timeout": 40.0}
    with running(tmp_path_factory.mktemp("hub"), **choices) as hub:
        yield hub


@pytest.fixture(autouse=True)
def whole(request: pytest.FixtureRequest) -> Iterator[None]:
    """End the fault that a test made."""
    yield
    if "hub" in request.fixturenames:
        request.getfixturevalue("hub").passage.fault = ""
