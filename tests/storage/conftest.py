"""Accounts on a real server, filesystems on them, and a passage in between that counts or breaks."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from imagine_lib.storage import Credential, NextcloudFileSystem
from tests.local.storage.conftest import (  # noqa: F401
    elsewhere,
    embedded_only,
    iam,
    limited,
    server,
    start,
    unguarded,
)
from tests.local.storage.servers import PROJECT
from tests.storage.passage import Passage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.local.storage.account import Account


@dataclass
class Place:
    """An account behind a passage."""

    account: Account
    passage: Passage
    credential_file: Path
    cache: Path

    def files(self, **options: Any) -> NextcloudFileSystem:
        return NextcloudFileSystem(**{"patience": 20, **options})

    def directly(self) -> NextcloudFileSystem:
        """The same account, past the passage."""
        account = self.account
        return NextcloudFileSystem(Credential(url=account.server.url, user=account.uid, password=account.password))

    def pause(self) -> None:
        """Wait for another second: a Nextcloud gives what is written twice in one the same entity tag."""
        if not self.account.server.is_own:
            time.sleep(1.1)

    def write_credential(self, **changes: Any) -> None:
        told = {"url": self.passage.url, "user": self.account.uid, "password": self.account.password}
        self.credential_file.write_text(json.dumps(told | changes))

    def start(self, code: str, **environment: str) -> subprocess.Popen[str]:
        """Run a program of the same user."""
        return subprocess.Popen(
            [sys.executable, "-c", code],
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(PROJECT),
                "IMAGINE_STORAGE_CREDENTIALS": str(self.credential_file),
                "IMAGINE_CACHE": str(self.cache),
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Account], Place]:
    places = []

    def at(account: Account) -> Place:
        place = Place(account, Passage(account.server.url), tmp_path / "storage.json", tmp_path / "cache")
        place.write_credential()
        monkeypatch.setenv("IMAGINE_STORAGE_CREDENTIALS", str(place.credential_file))
        monkeypatch.setenv("IMAGINE_CACHE", str(place.cache))
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # where files that could not be stored are kept
        places.append(place)
        return place

    yield at
    for place in places:
        place.passage.close()


@pytest.fixture
def place(at, server) -> Place:  # noqa: F811
    return at(server.account())


@pytest.fixture
def fs(place: Place) -> NextcloudFileSystem:
    return place.files()
