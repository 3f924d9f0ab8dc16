"""A storage to test against, the embedded one or the Nextcloud that NEXTCLOUD_URL names, and accounts on it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.local.storage.issuer import IAM
from tests.local.storage.servers import Elsewhere, Embedded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local.storage.account import Account


@pytest.fixture(scope="session")
def iam():
    iam = IAM()
    yield iam
    iam.server.shutdown()


@pytest.fixture(scope="session")
def elsewhere():
    """The Nextcloud that the environment names, if it names one."""
    if url := os.environ.get("NEXTCLOUD_URL", "").rstrip("/"):
        administrator = os.environ["NEXTCLOUD_ADMIN_USER"], os.environ["NEXTCLOUD_ADMIN_PASSWORD"]
        elsewhere = Elsewhere(url, administrator)
        yield elsewhere
        elsewhere.clear()
    else:
        yield None


@pytest.fixture(scope="session")
def embedded_only(elsewhere):
    if elsewhere:
        pytest.skip("only on the embedded server: starts it with settings of its own")


@pytest.fixture
def unguarded(elsewhere):
    """For tests that fail to sign in: on a guarded server they would lock everyone at this address out."""
    if elsewhere and elsewhere.is_guarded:
        pytest.skip("only where this address is allow-listed: fails to sign in on purpose")


@pytest.fixture(scope="module")
def server(iam, elsewhere, tmp_path_factory):
    """A server that the tests of a file share; each makes users of its own."""
    if elsewhere:
        yield elsewhere
        elsewhere.clear()
        return
    running = Embedded(tmp_path_factory.mktemp("storage") / "state", {}, iam).start()
    yield running
    assert running.end() == 0
    assert "Traceback" not in running.log.read_text()


@pytest.fixture
def start(embedded_only, iam, tmp_path):
    """Start servers with settings of their own."""
    started: list[Embedded] = []

    def start(
        limit_bytes: int | None = None, state: Path | None = None, port: int = 0, **environment: str
    ) -> Embedded:
        place = state or tmp_path / f"state{len(started)}"
        started.append(Embedded(place, environment, iam, limit_bytes, port).start())
        return started[-1]

    yield start
    for running in started:
        if running.process and running.process.poll() is None:
            running.end()


@pytest.fixture
def limited(elsewhere, request):
    """Make an account that may store so many bytes."""

    def limited(quota_bytes: int) -> Account:
        if elsewhere is None:
            return request.getfixturevalue("start")(IMAGINE_STORAGE_QUOTA=str(quota_bytes)).account("alice")
        account = elsewhere.account("alice")
        elsewhere.set_quota(account, quota_bytes)
        return account

    return limited


@pytest.fixture
def alice(server):
    return server.account("alice")


@pytest.fixture
def bob(server):
    return server.account("bob")


def pytest_report_header() -> str | None:
    """Say which server is tested."""
    url = os.environ.get("NEXTCLOUD_URL", "").rstrip("/")
    if not url:
        return None
    return f"storage: {url}, Nextcloud {Elsewhere(url, ('', '')).version}"
