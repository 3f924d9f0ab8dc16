"""What is free in a cluster, told from its nodes and pods."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes_asyncio.client import ApiException

from hub_config.hardware import GPUFlavour
from hub_config.platform.controller import cluster
from hub_config.platform.logic.capacity import CapacityBoard, configured, measure
from imagine_lib.wire import Capacity, GPUCapacity
from tests.spawn.conftest import KUBECONFIG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hub_config.platform.store.database import Database
    from tests.platform.conftest import Platform

NOW = datetime(2026, 11, 23, tzinfo=UTC)
GPU = "nvidia.com/gpu"
A100, T4 = {"gpu": "a100"}, {"gpu": "t4"}
DIGEST = f"sha256:{'1' * 64}"


def node(
    name: str, gpus: int, labels: dict[str, str], *, ready: bool = True, closed: bool = False, **status: Any
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"unschedulable": closed},
        "status": {
            "allocatable": {GPU: str(gpus)},
            "conditions": [{"type": "Ready", "status": str(ready)}],
            **status,
        },
    }


def pod(gpus: int, on: str = "", selector: dict[str, str] | None = None, phase: str = "Running") -> dict[str, Any]:
    containers = [{"resources": {"requests": {GPU: str(gpus)}}}]
    return {"spec": {"nodeName": on, "nodeSelector": selector, "containers": containers}, "status": {"phase": phase}}


def seen(nodes: list[dict[str, Any]], pods: list[dict[str, Any]], **flavours: GPUFlavour) -> dict[str, GPUCapacity]:
    return {one.flavour: one for one in measure(nodes, pods, flavours, {}, NOW).gpus}


def a100(**more: Any) -> GPUFlavour:
    return GPUFlavour(title="A100", node_selector=A100, **more)


def test_what_pods_hold_is_not_free_and_a_servers_gpus_are_on_one_machine() -> None:
    found = seen(
        [node("a", 4, A100), node("b", 2, A100), node("c", 8, T4)], [pod(3, "a"), pod(1, "b"), pod(8, "c")], a=a100()
    )
    assert (found["a"].total, found["a"].free, found["a"].free_together) == (6, 2, 1)


def test_pods_that_ended_hold_nothing_and_those_that_wait_are_counted() -> None:
    pods = [
        pod(2, "a", phase="Succeeded"),
        pod(1, "", A100, "Pending"),
        pod(1, "", T4, "Pending"),
        pod(0, "", A100, "Pending"),
    ]
    found = seen([node("a", 2, A100)], pods, a=a100())
    assert (found["a"].free, found["a"].waiting) == (2, 1)


def test_machines_that_are_gone_or_closed_offer_nothing() -> None:
    found = seen([node("a", 2, A100, ready=False), node("b", 2, A100, closed=True)], [], a=a100())
    assert (found["a"].total, found["a"].free) == (0, 0)


def test_no_more_is_free_than_the_operator_sets_aside() -> None:
    nodes = [node("a", 8, A100)]
    assert seen(nodes, [], a=a100(count=3))["a"].free == 3
    assert seen(nodes, [pod(2, "a")], a=a100(count=3))["a"].free == 1
    assert seen(nodes, [pod(8, "a")], a=a100(count=3))["a"].free == 0


def test_an_image_is_known_by_its_digest() -> None:
    held = {"images": [{"names": [f"mirror.example.org/x@{DIGEST}", "x:latest"], "sizeBytes": 5_000_000_000}]}
    nodes = [node("a", 0, {}, **held), node("b", 0, {}), node("c", 0, {}, closed=True, **held)]
    images = {"phytoplankton": f"r.example.org/x@{DIGEST}", "other": f"r.example.org/y@sha256:{'2' * 64}"}
    first, second = measure(nodes, [], {}, images, NOW).images
    assert (first.machines, first.of, first.size) == (1, 2, 5_000_000_000)
    assert (second.machines, second.of, second.size) == (0, 2, None)


def test_without_a_look_at_the_cluster_it_is_what_was_configured_and_says_so() -> None:
    assert configured({"a": a100(count=4), "b": a100()}) == Capacity(
        gpus=[GPUCapacity(flavour="a", title="A100", total=4), GPUCapacity(flavour="b", title="A100")]
    )


def test_what_was_seen_is_believed_until_nobody_looks_any_more(database: Database) -> None:
    board = CapacityBoard(database, {"a": a100(count=4)})
    seen_now = Capacity(gpus=[GPUCapacity(flavour="a", title="A100", total=4, free=1)], measured=NOW)
    assert board.read() == configured({"a": a100(count=4)})
    board.record(seen_now, every=60)
    assert board.read() == seen_now
    board.record(seen_now, every=0)
    assert board.read() == configured({"a": a100(count=4)})


def test_anyone_may_ask_what_is_free(platform: Platform) -> None:
    answer = platform.client().get("/capacity")
    assert answer.status_code == 200
    assert answer.json() == {"gpus": [], "images": [], "measured": None}


def test_the_controller_reads_all_pages_of_nodes_and_of_pods_that_hold_something(
    answer_as: Callable[..., str], kubeconfig: Callable[[str], None]
) -> None:
    asked = []

    class Cluster(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = parse_qs(address.query)
            asked.append((address.path, query.get("fieldSelector")))
            number = int(query.get("continue", ["0"])[0])
            items = [{"metadata": {"name": f"{address.path}-{number}"}}]
            body = json.dumps({"items": items, "metadata": {"continue": str(number + 1)} if number < 2 else {}})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body.encode())

    kubeconfig(answer_as(Cluster))
    nodes, pods = cluster.nodes_and_pods()
    assert [one["metadata"]["name"] for one in nodes] == [f"/api/v1/nodes-{n}" for n in range(3)]
    assert [one["metadata"]["name"] for one in pods] == [f"/api/v1/pods-{n}" for n in range(3)]
    assert {query[0] for path, query in asked if path == "/api/v1/pods" and query} == {cluster.ALIVE}


def test_a_controller_that_may_not_look_says_so(
    answer_as: Callable[..., str], kubeconfig: Callable[[str], None]
) -> None:
    class Closed(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(403)
            self.end_headers()

    kubeconfig(answer_as(Closed))
    with pytest.raises(ApiException, match="403"):
        cluster.nodes_and_pods()


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Name a cluster for this process."""

    def name(address: str) -> None:
        path = tmp_path / "kubeconfig"
        path.write_text(KUBECONFIG.replace("http://127.0.0.1:9", address))
        monkeypatch.setattr("kubernetes_asyncio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))

    return name
