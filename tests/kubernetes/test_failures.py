"""Starts that fail, and what their user reads: at once, and in words."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.kubernetes.cluster import get, kubectl, until
from tests.kubernetes.conftest import HUB, MISSING, SERVERS, ClusterPerson, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]


@pytest.fixture
def nils(workspace: Workspace) -> Iterator[ClusterPerson]:
    person = workspace.sign_in("nils")
    yield person
    person.stop_server()


@contextmanager
def changed_settings(change: dict[str, Any]) -> Iterator[None]:
    """Let the hub run with other settings of the cluster."""
    before = get("configmap", "imagine-settings", HUB)["data"]["settings.yaml"]
    settings = yaml.safe_load(before)
    settings["kubernetes"] |= change
    try:
        _set(yaml.safe_dump(settings))
        yield
    finally:
        _set(before)


def _set(text: str) -> None:
    patch = {"data": {"settings.yaml": text}}
    kubectl("patch", "configmap", "imagine-settings", "--namespace", HUB, "--patch", json.dumps(patch))
    restart_hub()


def restart_hub() -> None:
    kubectl("rollout", "restart", "deployment/hub", "--namespace", HUB)
    kubectl("rollout", "status", "deployment/hub", "--namespace", HUB, "--timeout=300s")


def failure(person: ClusterPerson, profile: str = "small") -> tuple[str, float]:
    """Start a server that cannot come up; return what is said in the end, and after how many seconds."""
    begin = time.monotonic()
    person.choose("phytoplankton", profile)
    last = person.follow_start()[-1]
    assert last.get("failed"), last
    return last["message"], time.monotonic() - begin


def test_an_image_that_is_not_there(workspace: Workspace) -> None:
    with changed_settings({"images": {"phytoplankton": {"image": MISSING, "contract": 1}}}):
        nils = workspace.sign_in("nils")
        said, seconds = failure(nils)
        assert f"The image {MISSING} of this module cannot be fetched" in said
        assert seconds < 60


def test_a_choice_that_no_machine_can_take_says_what_it_waits_for(nils: ClusterPerson) -> None:
    nils.choose("phytoplankton", "huge")
    path = "/hub/api/users/nils/server/progress"
    with nils.stream("GET", path, timeout=60) as stream:
        waits = next(line for line in stream.iter_lines() if "waits until" in line)
    assert "enough memory is free" in waits


def test_a_server_that_takes_too_much_memory_says_so(nils: ClusterPerson) -> None:
    said, seconds = failure(nils, "tight")
    assert "because it needed more memory than 48 MB" in said
    assert seconds < 60


def test_a_server_that_ends_tells_its_last_line(workspace: Workspace) -> None:
    broken = {"phytoplankton": {"image": workspace.images["demo"], "contract": 1}}  # it has no single-user server
    with changed_settings({"images": broken}):
        nils = workspace.sign_in("nils")
        said, seconds = failure(nils)
        assert "Your server ended while it started" in said
        assert seconds < 60


def test_a_lost_pod_is_noticed_and_leaves_nothing_behind(nils: ClusterPerson) -> None:
    nils.start_server("small")
    kubectl("delete", "pod", "server-nils", "--namespace", SERVERS, "--grace-period=0", "--force")
    until(lambda: not nils.servers(), "the hub to see that the pod is gone", 90)
    until(lambda: not get("secret", "token-nils", SERVERS), "the end of the server's token", 90)
    assert not get("secret", "storage-nils", SERVERS)
    nils.start_server("small")
