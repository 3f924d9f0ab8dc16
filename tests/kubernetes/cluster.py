"""``kubectl``, and what the tests put into the cluster that it speaks to."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 180


def kubectl(*words: str, given: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run kubectl."""
    done = subprocess.run(["kubectl", *words], input=given, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0 or not check, f"kubectl {' '.join(words)}: {done.stderr}"
    return done


def get(kind: str, name: str, namespace: str = "") -> dict[str, Any]:
    """Return an object; nothing where there is none."""
    place = ["--namespace", namespace] if namespace else []
    done = kubectl("get", kind, name, *place, "--output", "json", "--ignore-not-found")
    return json.loads(done.stdout) if done.stdout.strip() else {}


def apply(*manifests: dict[str, Any]) -> None:
    """Put objects into the cluster."""
    kubectl("apply", "--filename", "-", given=yaml.safe_dump_all(manifests))


def may(verb: str, what: str, account: str, namespace: str = "") -> bool:
    """Tell whether a service account (``NAMESPACE:NAME``) may do something."""
    place = ["--namespace", namespace] if namespace else ["--all-namespaces"]
    who = f"system:serviceaccount:{account}"
    return kubectl("auth", "can-i", verb, what, *place, "--as", who, check=False).stdout.strip() == "yes"


def until(true: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Wait for something; return it."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.5)
    return found


def run_in(pod: str, namespace: str, *command: str, given: str | None = None) -> str:
    """Run a command in a pod; return what it printed."""
    return kubectl("exec", "--stdin", "--namespace", namespace, pod, "--", *command, given=given).stdout


def pod_of(component: dict[str, Any]) -> dict[str, Any]:
    """Return the rest of a pod's specification, as *restricted* wants it."""
    return {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "fsGroup": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "imagePullPolicy": "IfNotPresent",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                **component,
            }
        ],
    }


def service(name: str, namespace: str, port: int, container: dict[str, Any], **pod: Any) -> list[dict[str, Any]]:
    """Return a Deployment of one pod, and the Service by which others reach it."""
    labels = {"app": name}
    ready = {"readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1}}
    spec = pod_of({"name": name, **ready, **container}) | pod
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "replicas": 1,
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": labels, "ports": [{"port": port, "targetPort": port}]},
        },
    ]
