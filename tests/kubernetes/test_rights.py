"""Who may do what in the cluster, and above all what not."""

from __future__ import annotations

import pytest
import yaml

from tests.kubernetes.cluster import kubectl, may, pod_of
from tests.kubernetes.conftest import DEMO, HUB, SERVERS, Workspace

pytestmark = [pytest.mark.kubernetes, pytest.mark.usefixtures("workspace")]

HUB_ACCOUNT, CONTROLLER, PLATFORM = f"{HUB}:hub", f"{HUB}:imagine-controller", f"{HUB}:default"
USERS = f"{SERVERS}:default"

ALLOWED = [
    (HUB_ACCOUNT, "create", "pods", SERVERS),
    (HUB_ACCOUNT, "delete", "pods", SERVERS),
    (HUB_ACCOUNT, "create", "secrets", SERVERS),
    (HUB_ACCOUNT, "create", "persistentvolumeclaims", SERVERS),
    (CONTROLLER, "list", "nodes", ""),
    (CONTROLLER, "list", "pods", ""),
]
FORBIDDEN = [
    (HUB_ACCOUNT, "list", "secrets", SERVERS),
    (HUB_ACCOUNT, "create", "pods", HUB),
    (HUB_ACCOUNT, "get", "secrets", HUB),
    (HUB_ACCOUNT, "create", "pods/exec", SERVERS),
    (HUB_ACCOUNT, "create", "rolebindings", SERVERS),
    (HUB_ACCOUNT, "list", "nodes", ""),
    (HUB_ACCOUNT, "get", "pods", DEMO),
    (CONTROLLER, "get", "secrets", SERVERS),
    (CONTROLLER, "delete", "pods", SERVERS),
    (CONTROLLER, "create", "pods", SERVERS),
    (CONTROLLER, "patch", "nodes", ""),
    (PLATFORM, "get", "pods", HUB),
    (PLATFORM, "get", "secrets", HUB),
    (USERS, "get", "pods", SERVERS),
    (USERS, "get", "secrets", SERVERS),
]


@pytest.mark.parametrize(("account", "verb", "what", "namespace"), ALLOWED)
def test_what_is_needed_is_allowed(account: str, verb: str, what: str, namespace: str) -> None:
    assert may(verb, what, account, namespace)


@pytest.mark.parametrize(("account", "verb", "what", "namespace"), FORBIDDEN)
def test_what_is_not_needed_is_not(account: str, verb: str, what: str, namespace: str) -> None:
    assert not may(verb, what, account, namespace)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"securityContext": {"runAsUser": 0}}, "runAsNonRoot"),
        ({"volumes": [{"name": "root", "hostPath": {"path": "/"}}]}, "hostPath"),
    ],
)
def test_no_pod_with_a_privilege_gets_into_the_namespace_of_servers(
    change: dict[str, object], said: str, workspace: Workspace
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "intruder", "namespace": SERVERS},
        "spec": pod_of({"name": "intruder", "image": workspace.images["demo"]}) | change,
    }
    done = kubectl("create", "--filename", "-", given=yaml.safe_dump(pod), check=False)
    assert done.returncode != 0
    assert 'violates PodSecurity "restricted' in done.stderr
    assert said in done.stderr
