"""What the cluster says becomes what the user reads. The events and states are as Kubernetes writes them."""

from __future__ import annotations

from typing import Any

import pytest

from hub_config.spawn.words import plain, why_not

GI = 4 * 1024**3


@pytest.mark.parametrize(
    ("reason", "message", "sentence"),
    [
        ("Scheduled", "Successfully assigned imagine/server-ada to node-7", "A place for your server was found"),
        (
            "Pulling",
            'Pulling image "r.example.org/imagine/base@sha256:00"',
            "This machine fetches the module's image r.example.org/imagine/base@sha256:00",
        ),
        (
            "FailedScheduling",
            "0/3 nodes are available: 1 Insufficient nvidia.com/gpu, 2 Insufficient memory. preemption: 0/3 nodes are available",
            "Your server waits until a GPU of this kind is free and enough memory is free",
        ),
        (
            "FailedScheduling",
            "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
            "No machine fits your choice at the moment: 0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
        ),
        ("Unhealthy", "Readiness probe failed: dial tcp 10.1.0.7:8888: connect: connection refused", ""),
    ],
)
def test_an_event_in_plain_words(reason: str, message: str, sentence: str) -> None:
    assert plain({"reason": reason, "message": message}) == sentence


def pod_with(state: dict[str, Any], **status: Any) -> dict[str, Any]:
    containers = [{"name": "notebook", "state": state, "image": "r.example.org/imagine/base"}]
    return {
        "spec": {"containers": [{"name": "notebook", "resources": {"limits": {"memory": str(GI)}}}]},
        "status": {"phase": "Pending", "containerStatuses": containers} | status,
    }


def test_a_pod_that_may_still_come_up_is_waited_for() -> None:
    assert why_not({"spec": {}, "status": {"phase": "Pending"}}, "notebook") is None
    assert why_not(pod_with({"waiting": {"reason": "ContainerCreating"}}), "notebook") is None
    assert why_not(pod_with({"running": {}}), "notebook") is None


def test_a_dead_container_tells_its_last_line() -> None:
    ended = {
        "exitCode": 1,
        "reason": "Error",
        "message": "starting\nModuleNotFoundError: No module named 'jupyterhub'\n",
    }
    assert why_not(pod_with({"terminated": ended}), "notebook") == (
        "server ended",
        "Your server ended while it started: ModuleNotFoundError: No module named 'jupyterhub'",
    )


def test_a_container_that_took_too_much_memory_says_so() -> None:
    ended = {"exitCode": 137, "reason": "OOMKilled"}
    assert why_not(pod_with({"terminated": ended}), "notebook") == (
        "out of memory",
        "Your server ended while it started because it needed more memory than 4096 MB: it printed nothing (exit code 137).",
    )


def test_an_image_that_cannot_be_fetched_is_named() -> None:
    for reason in ("ErrImagePull", "ImagePullBackOff", "InvalidImageName"):
        failure = why_not(pod_with({"waiting": {"reason": reason}}), "notebook")
        assert failure is not None
        assert failure.reason == "image missing"
        assert failure.sentence.startswith("The image r.example.org/imagine/base of this module cannot be fetched")


def test_an_evicted_pod_says_why() -> None:
    pod = {
        "spec": {},
        "status": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."},
    }
    assert why_not(pod, "notebook") == (
        "Evicted",
        "Your server ended while it started: The node was low on resource: memory.",
    )
