"""The servers that the tests speak to: the project's own as a real process, or any Nextcloud that is running elsewhere."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
import unittest
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, urlsplit

import httpx
import pytest

from tests.local.storage.account import TLS, Account

if TYPE_CHECKING:
    from tests.local.storage.issuer import IAM

PROJECT = Path(__file__).resolve().parents[3]
BUSY_SECONDS = (1, 5, 20)
"""After which a Nextcloud on SQLite is asked again what it refused: it does that now and then while it is busy."""
NUMBERS = itertools.count(1)


def embedded_only(why: str) -> pytest.MarkDecorator:
    """Mark what is tested of the embedded server alone, and why not of a Nextcloud."""
    return pytest.mark.skipif(bool(os.environ.get("NEXTCLOUD_URL")), reason=f"only on the embedded server: {why}")


class Reachable:
    """A server with an address."""

    url: str
    is_own: bool
    """Whether it is the embedded one, whose answers are exact."""

    def expected(self, exact: int, *others: int) -> set[int]:
        """Return the statuses that it may answer: one if it is the embedded server, some more for any Nextcloud."""
        return {exact} if self.is_own else {exact, *others}

    @property
    def port(self) -> int:
        address = urlsplit(self.url)
        return address.port or (443 if address.scheme == "https" else 80)

    @property
    def host(self) -> str:
        """What the server is called in the ``Host`` header."""
        return urlsplit(self.url).netloc

    def connect(self) -> socket.socket:
        """Open a connection for bytes that no client would send."""
        address = urlsplit(self.url)
        connection = socket.create_connection((address.hostname, self.port), timeout=20)
        if address.scheme != "https":
            return connection
        return TLS.wrap_socket(connection, server_hostname=address.hostname)

    def raw(self, method: str, target: str, account: Account | None = None, **headers: str) -> tuple[int, bytes]:
        """Send a request whose target is not touched by any client's good manners."""
        address = urlsplit(self.url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = kind(address.hostname or "", self.port, timeout=60)
        authorised = {"Authorization": account.basic} if account else {}
        try:
            connection.request(method, target, headers=authorised | headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@dataclass
class Embedded(Reachable):
    """The project's own storage, started as a process."""

    state: Path
    environment: dict[str, str]
    iam: IAM
    limit_bytes: int | None = None
    listens_at: int = 0
    process: subprocess.Popen[bytes] | None = None
    log: Path = field(init=False)
    is_own = True

    def __post_init__(self) -> None:
        self.listens_at = self.listens_at or free_port()
        self.log = self.state.parent / f"{self.state.name}.log"

    @property
    def url(self) -> str:  # type: ignore[override]
        return f"http://127.0.0.1:{self.listens_at}"

    @property
    def disk(self) -> Path:
        return self.state

    def start(self) -> Embedded:
        limit = "import resource,sys,runpy;"
        if self.limit_bytes:
            limit += f"resource.setrlimit(resource.RLIMIT_FSIZE,({self.limit_bytes},{self.limit_bytes}));"
        limit += (
            "sys.argv=['storage'];runpy.run_module('hub_config.local.storage',run_name='__main__',alter_sys=True)"
        )
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT),
            "IMAGINE_STORAGE_STATE": str(self.state),
            "IMAGINE_STORAGE_URL": self.url,
            "IMAGINE_IAM_URL": self.iam.url,
            "IMAGINE_STORAGE_BRUTE_FORCE": "off",
            **self.environment,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", limit], env=environment, stderr=log, stdout=log, cwd=self.state.parent
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(self.url + "/status.php", trust_env=False, verify=TLS)
                return self
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(20)

    def drafts(self) -> list[str]:
        """Return what is on the disk of uploads that are not done."""
        return [str(path) for path in (self.state / "incoming").rglob("*")]

    def account(self, name: str = "user", *, uid: str = "", **claims: Any) -> Account:
        """Sign a new user up and give them an app password."""
        uid = uid or f"{name}{next(NUMBERS)}"
        token = self.iam.token(uid, **claims)
        with httpx.Client(trust_env=False, verify=TLS) as client:
            answer = client.get(
                f"{self.url}/ocs/v2.php/core/getapppassword?format=json",
                headers={"OCS-APIRequest": "true", "Authorization": f"Bearer {token}"},
            )
        return Account(self, uid, answer.json()["ocs"]["data"]["apppassword"])


@dataclass
class Elsewhere(Reachable):
    """A Nextcloud that runs elsewhere: throw-away users are made on it by its administrator, and deleted after."""

    url: str
    administrator: tuple[str, str] = field(repr=False)
    users: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    groups: set[str] = field(default_factory=set)
    suffix: str = field(default_factory=lambda: secrets.token_hex(3))
    is_own = False

    def __post_init__(self) -> None:
        headers = {"OCS-APIRequest": "true", "Accept": "application/json"}
        self.client = httpx.Client(
            base_url=self.url, auth=self.administrator, headers=headers, timeout=60, verify=TLS, trust_env=False
        )

    @property
    def version(self) -> str:
        return str(self.client.get("/status.php").json()["versionstring"])

    @property
    def is_guarded(self) -> bool:
        """Whether failed logins from here would lock this address out."""
        told = self.client.get("/ocs/v2.php/cloud/capabilities").json()["ocs"]["data"]["capabilities"]
        return not told.get("bruteforce", {}).get("allow-listed", False)

    def drafts(self) -> list[str]:
        """Nothing can be said of the server's disk."""
        return []

    @property
    def disk(self) -> NoReturn:
        raise unittest.SkipTest("only on the embedded server: looks at the server's disk")

    state = log = disk

    @property
    def iam(self) -> NoReturn:
        raise unittest.SkipTest("only on the embedded server: needs an IAM that the server trusts")

    @property
    def process(self) -> NoReturn:
        raise unittest.SkipTest("only on the embedded server: needs the server's process")

    def account(self, name: str = "user", *, uid: str = "", groups: list[str] | None = None) -> Account:
        """Make a throw-away user with an app password, or give a known one other groups."""
        if uid:
            self._leave_groups(uid, groups or [])
            return Account(self, uid, self.users[uid][1])
        login = secrets.token_urlsafe(18)
        for group in groups or []:
            if group not in self.groups:
                self._ask("POST", "groups", groupid=group)
                self.groups.add(group)
        uid = self._make_user(name, login, groups or [])
        answer = httpx.get(
            f"{self.url}/ocs/v2.php/core/getapppassword?format=json",
            headers={"OCS-APIRequest": "true"},
            auth=(uid, login),
            timeout=60,
            verify=TLS,
            trust_env=False,
        )
        self.users[uid] = login, answer.json()["ocs"]["data"]["apppassword"]
        return Account(self, uid, self.users[uid][1])

    def set_quota(self, account: Account, quota_bytes: int) -> None:
        self._ask("PUT", f"users/{quote(account.uid)}", key="quota", value=f"{quota_bytes} B")

    def clear(self) -> None:
        """Delete every user and group that was made here."""
        for uid in list(self.users):
            self._delete(f"users/{quote(uid)}")
            del self.users[uid]
        for group in list(self.groups):
            self._delete(f"groups/{quote(group)}")
            self.groups.discard(group)

    def _make_user(self, name: str, login: str, groups: list[str]) -> str:
        """Make a user, by another name each time that it is refused: half of one may be there."""

        def named() -> dict[str, Any]:
            uid = f"{name}{next(NUMBERS)}-{self.suffix}"
            return {"userid": uid, "password": login, "displayName": uid.title(), "groups[]": groups}

        for wait in BUSY_SECONDS:
            with contextlib.suppress(AssertionError):
                return str(self._ask("POST", "users", **named())["id"])
            time.sleep(wait)
        return str(self._ask("POST", "users", **named())["id"])

    def _leave_groups(self, uid: str, stay: list[str]) -> None:
        known = self._ask("GET", f"users/{quote(uid)}/groups")["groups"]
        for group in set(known) - set(stay):
            self._ask("DELETE", f"users/{quote(uid)}/groups", groupid=group)

    def _delete(self, path: str) -> None:
        for wait in (*BUSY_SECONDS, 0):
            answer = self.client.delete(f"/ocs/v2.php/cloud/{path}")
            if answer.status_code in {200, 404}:
                return
            time.sleep(wait)
        raise AssertionError(f"{path} was not deleted: {answer.text}")

    def _ask(self, method: str, path: str, **fields: Any) -> Any:
        answer = self.client.request(method, f"/ocs/v2.php/cloud/{path}", data=fields)
        assert answer.status_code == 200, f"The administrator's {method} {path} was refused: {answer.text}"
        return answer.json()["ocs"]["data"]


def break_off(connection: socket.socket) -> bytes:
    """Send nothing more, and return what the server says to that."""
    if isinstance(connection, ssl.SSLSocket):
        raise unittest.SkipTest("only without TLS: breaks off in one direction, which TLS does not know")
    connection.shutdown(socket.SHUT_WR)
    return connection.recv(65536)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
