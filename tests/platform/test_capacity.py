"""What is free in a cluster, told from its nodes and pods."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hub_config.hardware import GPUFlavour
from hub_config.platform.logic.capacity import configured, measure
from imagine_lib.wire import Capacity, GPUCapacity

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
