"""Somebody's way in a real cluster: sign in, choose, wait, work, stop."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.kubernetes.cluster import get, kubectl, run_in, until
from tests.kubernetes.conftest import GPU, SERVERS, STORAGE, URL, ClusterPerson, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]


@pytest.fixture
def rosa(workspace: Workspace) -> Iterator[ClusterPerson]:
    person = workspace.sign_in("rosa")
    yield person
    person.stop_server()


def test_a_small_server_is_a_pod_that_has_nothing_to_hide(rosa: ClusterPerson) -> None:
    said = rosa.start_server("small")
    assert "A place for your server was found" in said
    assert rosa.server_api("status").json()["kernels"] == 0

    pod = rosa.pod
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["image"] == rosa.workspace.images["phytoplankton"]  # type: ignore[attr-defined]
    assert not any("TOKEN" in one["name"] and "value" in one for one in container["env"])
    inside = run_in("server-rosa", SERVERS, "sh", "-c", "id -u; cat /proc/self/status; ls /var/run/secrets 2>&1")
    assert inside.startswith("1000\n")
    assert "CapEff:\t0000000000000000" in inside
    assert "NoNewPrivs:\t1" in inside
    assert "serviceaccount" not in inside


def test_a_kernel_runs_and_the_module_predicts_from_the_storage(rosa: ClusterPerson) -> None:
    rosa.start_server("small")
    kernel = rosa.server_api("kernels", "POST", json={"name": "python3"})
    assert kernel.status_code == 201, kernel.text
    code = """
import json
from imagine_lib.data.synthetic import write_dataset
from pathlib import Path
import imagine_lib as im
from imagine_lib.storage import sync
write_dataset(Path('/tmp/images'), ['disc', 'rod'], each=3, seed=1, samples=range(3))
sync('/tmp/images', 'nextcloud:/cruise')
print(json.dumps(len(im.load('phytoplankton').predict('nextcloud:/cruise'))))
"""
    assert json.loads(run_in("server-rosa", SERVERS, "python", "-c", code).splitlines()[-1]) == 6


def test_the_key_to_the_storage_is_a_file_in_memory_and_goes_with_the_server(rosa: ClusterPerson) -> None:
    rosa.start_server("small")
    key = json.loads(run_in("server-rosa", SERVERS, "cat", "/run/imagine/keys/storage.json"))
    assert key["url"] == STORAGE
    assert "tmpfs" in run_in("server-rosa", SERVERS, "sh", "-c", "grep /run/imagine/keys /proc/mounts")
    environment = run_in("server-rosa", SERVERS, "env")
    assert key["password"] not in environment
    assert key["password"] not in json.dumps(rosa.pod)

    def read_with_it() -> int:
        with httpx.Client(proxy=rosa.workspace.proxy, trust_env=False, timeout=30) as client:  # type: ignore[attr-defined]
            files = f"{STORAGE}/remote.php/dav/files/rosa/"
            return client.request("PROPFIND", files, auth=(key["user"], key["password"])).status_code

    assert read_with_it() == 207
    rosa.stop_server()
    until(lambda: not get("secret", "storage-rosa", SERVERS), "the end of the secret")
    assert read_with_it() == 401


def test_a_server_reaches_what_it_needs_and_nothing_else(rosa: ClusterPerson) -> None:
    rosa.start_server("small")
    kubernetes = get("service", "kubernetes", "default")["spec"]["clusterIP"]
    code = f"""
import json, socket
def reaches(host, port):
    try:
        socket.create_connection((host, port), 3).close()
        return True
    except OSError:
        return False
print(json.dumps([reaches({kubernetes!r}, 443), reaches('169.254.169.254', 80), reaches('proxy-api.imagine-test', 8001)]))
"""
    assert json.loads(run_in("server-rosa", SERVERS, "python", "-c", code)) == [False, False, False]


def test_no_server_reaches_another(workspace: Workspace, rosa: ClusterPerson) -> None:
    nils = workspace.sign_in("nils")
    nils.start_server("small")
    rosa.start_server("small")
    try:
        address = nils.pod["status"]["podIP"]
        code = f"import socket; socket.create_connection(({address!r}, 8888), 3)"
        done = kubectl("exec", "server-rosa", "--namespace", SERVERS, "--", "python", "-c", code, check=False)
        assert done.returncode != 0
        with httpx.Client(proxy=workspace.proxy, trust_env=False) as client:
            headers = {"Authorization": f"token {rosa.token()}"}
            assert client.get(f"{URL}/user/nils/api/status", headers=headers).status_code == 403
    finally:
        nils.stop_server()


def test_a_gpu_is_shown_given_and_taken_back(workspace: Workspace, rosa: ClusterPerson) -> None:
    node = kubectl("get", "nodes", "--output", "name").stdout.split()[0]
    path = f"/status/capacity/{GPU.replace('/', '~1')}"
    patch = [{"op": "add", "path": path, "value": "2"}]
    kubectl("patch", node, "--subresource=status", "--type=json", "--patch", json.dumps(patch))

    def free() -> int | None:
        with httpx.Client(proxy=workspace.proxy, trust_env=False) as client:
            (gpu,) = client.get(f"{URL}/services/imagine/capacity").json()["gpus"]
            found: int | None = gpu["free"]
            return found

    try:
        until(lambda: free() == 2, "two free GPUs")
        assert "2 of 2 free now." in rosa.get("/hub/spawn").text
        rosa.start_server("gpu")
        assert rosa.pod["spec"]["containers"][0]["resources"]["limits"][GPU] == "1"
        until(lambda: free() == 1, "one free GPU")
        rosa.stop_server()
        until(lambda: free() == 2, "two free GPUs again")
    finally:
        patch[0] = {"op": "remove", "path": path}
        kubectl("patch", node, "--subresource=status", "--type=json", "--patch", json.dumps(patch))
