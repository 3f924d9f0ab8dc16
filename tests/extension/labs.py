"""A real JupyterLab as its own process, in a home as a user of the workspace has it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETTINGS = Path(".jupyter/lab/user-settings/@jupyterlab/apputils-extension")
"""Where, in a home, the Lab keeps its settings of theme and notifications."""


@dataclass
class Lab:
    """A running JupyterLab."""

    url: str
    token: str
    home: Path
    log: Path
    pid: int

    def withdraw(self, model: str, body: Any, **options: Any) -> httpx.Response:
        """Ask to withdraw version 3; signed in by the Lab's token unless told otherwise."""
        options = {"headers": {"Authorization": f"token {self.token}"}} | options
        url = f"{self.url}/imagine/models/{model}/versions/3/withdraw"
        return httpx.post(url, json=body, trust_env=False, timeout=30, **options)

    def get(self, path: str, token: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"token {self.token if token is None else token}"}
        return httpx.get(f"{self.url}/imagine/{path}", headers=headers, trust_env=False, timeout=30)


def notebook(*cells: str) -> str:
    """Write a notebook whose cells are Markdown."""
    written = [
        {"cell_type": "markdown", "id": f"c{n}", "metadata": {}, "source": text} for n, text in enumerate(cells)
    ]
    return json.dumps({"cells": written, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def write_tutorials(home: Path) -> None:
    folder = home / "tutorials"
    folder.mkdir()
    (folder / "02-share.ipynb").write_text(notebook("# Share *it* with `friends`", "By [link](http://x) only."))
    first = notebook("Not a title", "# Your first model\n\nLoad a model,\nlook at **what** it says.\n\nMore.")
    (folder / "01-first.ipynb").write_text(first)
    (folder / "03-broken.ipynb").write_text("{ this is no JSON")
    (folder / "04-list.ipynb").write_text("[]")
    (folder / "05-cells.ipynb").write_text('{"cells": [{"cell_type": "markdown"}, 3]}')
    (folder / "06-bytes.ipynb").write_bytes(b"\xff\xfe\x00")
    (folder / "07-deep.ipynb").write_text("[" * 200_000)
    (folder / "08-folder.ipynb").mkdir()
    (folder / "notes.txt").write_text("# Not a notebook")


@contextmanager
def running_lab(home: Path, environment: dict[str, str]) -> Iterator[Lab]:
    """Start JupyterLab as its own process on loopback, and end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    # The last two say where an extension lies that is not the installed one.
    names = ("PATH", "LANG", "PYTHONPATH", "JUPYTER_PATH")
    inherited = {key: os.environ[key] for key in names if key in os.environ}
    settings = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": str(port),
        "ServerApp.port_retries": "0",
        "ServerApp.open_browser": "False",
        "ServerApp.allow_root": "True",
        "ServerApp.root_dir": str(home),
        "IdentityProvider.token": token,
        "LabApp.extension_manager": "readonly",
        "LabApp.news_url": "",
    }
    log = home.parent / f"{home.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *(f"--{key}={value}" for key, value in settings.items())],
            cwd=home,
            env={**inherited, "HOME": str(home), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        lab = Lab(f"http://127.0.0.1:{port}", token, home, log, process.pid)
        wait_until(lambda: process.poll() is not None or _answers(lab), 60, f"JupyterLab did not start: see {log}")
        assert process.poll() is None, log.read_text()
        yield lab
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(lab: Lab) -> bool:
    try:
        return httpx.get(f"{lab.url}/api", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float, message: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(message)
        time.sleep(0.1)


def make_home(folder: Path) -> Path:
    """Make a home as a user of the workspace has it, with the Lab's question about news answered."""
    folder.mkdir()
    write_tutorials(folder)
    settings = folder / SETTINGS
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    return folder
