"""One user's drive: a Lab, a storage, the passage between them, and the credential that links them."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from tests.storage.passage import Passage

from .labs import Lab, make_home, running_lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.local.storage.conftest import Account, Server

CHUNK = 2**20

HUB = {"hubPrefix": "/base/hub/", "hubHost": "", "hubUser": "rosa"}
"""What a Lab under a hub tells its page."""


@dataclass
class Drive:
    """The drive of one user, as a browser asks it."""

    lab: Lab
    account: Account
    passage: Passage
    credential: Path

    def link(self, **changes: Any) -> None:
        told = {"url": self.passage.url, "user": self.account.uid, "password": self.account.password}
        self.credential.write_text(json.dumps(told | changes))

    def ask(
        self, method: str, path: str = "", body: Any = None, *, part: str = "contents", **options: Any
    ) -> httpx.Response:
        url = f"{self.lab.url}/imagine/nextcloud/{part}/{quote(path)}"
        headers = {"Authorization": f"token {self.lab.token}"} | options.pop("headers", {})
        return httpx.request(method, url, json=body, headers=headers, trust_env=False, timeout=60, **options)

    def get(self, path: str = "", **query: Any) -> Any:
        response = self.ask("GET", path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def put(self, path: str, content: Any, **more: Any) -> httpx.Response:
        return self.ask("PUT", path, {"type": "file", "format": "text", "content": content} | more)

    def upload(self, path: str, content: bytes, **more: Any) -> list[httpx.Response]:
        """Send a file as the Lab does: by chunks, one after another."""
        answers = []
        for start in range(0, len(content), CHUNK):
            number = -1 if start + CHUNK >= len(content) else start // CHUNK + 1
            block = base64.b64encode(content[start : start + CHUNK]).decode()
            answers.append(self.put(path, block, format="base64", chunk=number, **more))
        while answers[-1].status_code == 202:
            answers.append(self.put(path, "", format="base64", chunk=-1, **more))
        return answers

    def download(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask(method, path, part="files", headers=headers)


@pytest.fixture(scope="module")
def drive_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Give a JupyterLab whose user has linked no storage yet."""
    home = make_home(tmp_path_factory.mktemp("drive") / "home")
    told = home / ".jupyter" / "labconfig" / "page_config.json"
    told.parent.mkdir()
    told.write_text(json.dumps(HUB))
    environment = {
        "IMAGINE_STORAGE_CREDENTIALS": str(home.parent / "storage.json"),
        "IMAGINE_CACHE": str(home.parent / "cache"),
        "TMPDIR": str(home.parent),
        "JUPYTERHUB_BASE_URL": "/base/",
    }
    with running_lab(home, environment) as running:
        yield running
        # Jupyter's own have theirs, as when a page is closed that is just connecting to its kernel.
        assert not re.findall(r"Uncaught exception \w+ /imagine", running.log.read_text())
    assert not list((home.parent / "cache/uploads").glob("*")), "the uploads' folder outlived the server"


@pytest.fixture
def drive(drive_lab: Lab, server: Server) -> Iterator[Drive]:
    """Give each test a user of its own, linked to the Lab that runs already."""
    passage = Passage(server.url)
    linked = Drive(drive_lab, server.account(), passage, drive_lab.home.parent / "storage.json")
    linked.link()
    yield linked
    passage.close()
    assert not list((drive_lab.home.parent / "cache/uploads").glob("*/*")), "an upload was left on the local disk"
