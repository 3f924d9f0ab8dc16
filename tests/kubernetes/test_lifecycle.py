"""What outlives what: hub, servers, homes, people who leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kubernetes.cluster import get, kubectl, run_in, until
from tests.kubernetes.conftest import HUB, SERVERS, ClusterPerson, Workspace
from tests.kubernetes.test_failures import restart_hub

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]


@pytest.fixture
def rosa(workspace: Workspace) -> Iterator[ClusterPerson]:
    person = workspace.sign_in("rosa")
    yield person
    person.stop_server()


def test_a_home_is_there_again_after_a_stop(rosa: ClusterPerson) -> None:
    rosa.start_server("small")
    run_in("server-rosa", SERVERS, "sh", "-c", "echo kept > ~/note.txt")
    rosa.stop_server()
    assert not rosa.pod
    rosa.start_server("small")
    assert run_in("server-rosa", SERVERS, "cat", "/home/jovyan/note.txt") == "kept\n"


def test_servers_go_on_while_the_hub_is_renewed(rosa: ClusterPerson) -> None:
    rosa.start_server("small")
    before = rosa.pod["metadata"]["uid"]
    restart_hub()
    until(lambda: rosa.servers().get("", {}).get("ready"), "the hub to know the server again", 60)
    assert rosa.pod["metadata"]["uid"] == before
    assert rosa.server_api("status").status_code == 200


def test_an_idle_server_is_stopped_and_a_busy_one_is_not(workspace: Workspace, rosa: ClusterPerson) -> None:
    nils = workspace.sign_in("nils")
    nils.start_server("small")
    rosa.start_server("small")
    code = "import time; time.sleep(600)"
    kernel = rosa.server_api("kernels", "POST", json={"name": "python3"}).json()["id"]
    run_in("server-rosa", SERVERS, "python", "-c", _BEGIN.format(kernel=kernel, code=code))
    until(lambda: not nils.pod, "the idle server to be stopped", 180)
    assert rosa.pod["status"]["phase"] == "Running"


_BEGIN = """
import glob
from jupyter_client.blocking import BlockingKernelClient
client = BlockingKernelClient()
client.load_connection_file(glob.glob('/tmp/jupyter/kernel-{kernel}.json')[0])
client.start_channels()
client.wait_for_ready(timeout=60)
client.execute({code!r})
"""


def test_who_is_offboarded_is_out_with_everything(workspace: Workspace) -> None:
    nils = workspace.sign_in("nils")
    nils.start_server("small")
    run_in("deploy/hub", HUB, "imagine-hub", "offboard", "nils")
    try:
        until(lambda: not nils.pod, "the end of the server")
        assert not get("secret", "storage-nils", SERVERS)
        assert not get("secret", "token-nils", SERVERS)
        assert nils.get("/hub/api/users/nils").status_code in (403, 404)
        assert get("persistentvolumeclaim", "home-nils", SERVERS)
    finally:
        run_in("deploy/hub", HUB, "imagine-hub", "readmit", "nils")


def test_one_controller_acts_and_another_takes_over(workspace: Workspace) -> None:
    def acting() -> list[str]:
        pods = kubectl(
            "get",
            "pods",
            "--namespace",
            HUB,
            "--selector",
            "app.kubernetes.io/component=controller",
            "--output",
            "name",
        ).stdout.split()
        return [
            pod for pod in pods if "acts now" in kubectl("logs", pod, "--namespace", HUB).stdout.rpartition("Waiting")[2]
        ]  # fmt: skip

    (leader,) = until(acting, "a controller that acts")
    kubectl("delete", leader, "--namespace", HUB, "--wait=false")
    until(lambda: acting() and acting() != [leader], "another to take over")
