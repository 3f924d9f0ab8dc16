"""Our chart: what Helm makes of it is what Kubernetes takes, and no more than is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from hub_config.spawn.pods import SECRET_ANNOTATION

PROJECT = Path(__file__).parents[2]
CHART = PROJECT / "hub_config" / "deploy" / "chart"
HELM = Path(sys.executable).with_name("helm")
DIGEST = f"sha256:{'0' * 64}"
LEAST = {"image": {"name": "registry.example.org/imagine/platform", "digest": DIGEST}}
FULL = LEAST | {
    "image": LEAST["image"] | {"pullSecrets": ["one", "two"]},
    "settings": {
        "public_url": "https://workspace.example.org",
        "spawn": {"spawner": "kubernetes"},
        "kubernetes": {"uid": 1000, "nextcloud": {"by": "csi"}},
    },
    "modelStoreClaim": "models",
    "servers": {"namespace": "people", "quota": {"requests.nvidia.com/gpu": "8"}},
    "networkPolicy": {"extraEgress": [{"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}]}]},
    "serviceMonitor": {"enabled": True},
    "placeholders": [
        {"name": "gpu", "replicas": 2, "image": f"registry.example.org/pause@{DIGEST}", "resources": {"cpu": "1"}}
    ],
}


def helm(*words: str, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command = [str(HELM), *words, str(CHART), "--values", "-"]
    return subprocess.run(command, input=yaml.safe_dump(values), text=True, capture_output=True, check=False)


def made(values: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    answer = helm("template", "im", "--namespace", "imagine", values=values)
    assert answer.returncode == 0, answer.stderr
    found = [one for one in yaml.safe_load_all(answer.stdout) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def pod_specs(objects: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    return [one["spec"]["template"]["spec"] for (kind, _), one in objects.items() if kind in {"Deployment", "Job"}]


@pytest.mark.parametrize("values", [LEAST, FULL], ids=["least", "full"])
def test_helm_finds_nothing_and_kubernetes_takes_it(values: dict[str, Any]) -> None:
    lint = helm("lint", "--strict", values=values)
    assert lint.returncode == 0, lint.stdout
    for (kind, _), one in made(values).items():
        if kind != "ServiceMonitor":  # the Prometheus operator's own kind
            kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "image.name"),
        ({"image": {"name": "x", "digest": "latest"}}, "digest"),
        (LEAST | {"replicas": 3}, "replicas"),
    ],
)
def test_a_value_that_does_not_exist_or_fit_is_refused(values: dict[str, Any], said: str) -> None:
    answer = helm("template", "im", values=values)
    assert answer.returncode != 0
    assert said in answer.stderr.replace("/", ".")


def test_every_pod_passes_pod_security_restricted() -> None:
    for spec in pod_specs(made(FULL)):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any("hostPath" in volume for volume in spec.get("volumes", []))
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert security["readOnlyRootFilesystem"] is True
            assert container["image"].endswith(DIGEST)


def test_no_secret_is_in_an_environment() -> None:
    for spec in pod_specs(made(FULL)):
        for container in spec["containers"]:
            assert {one["name"] for one in container.get("env", [])} in (
                set(),
                {
                    "IMAGINE_SETTINGS",
                    "IMAGINE_PLATFORM__LISTEN",
                    "IMAGINE_PLATFORM__METRICS_LISTEN",
                    "PGPASSFILE",
                },
            )


def test_only_the_controller_sees_the_cluster_and_only_nodes_and_pods() -> None:
    objects = made(FULL)
    tokens = [spec.get("serviceAccountName") for spec in pod_specs(objects) if spec["automountServiceAccountToken"]]
    assert tokens == ["imagine-controller"]
    rules = objects["ClusterRole", "imagine-imagine-capacity"]["rules"]
    assert rules == [{"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["get", "list", "watch"]}]
    without = made(FULL | {"settings": {"kubernetes": {"watches_cluster": False}}})
    assert not any(kind.startswith("ClusterRole") for kind, _ in without)
    assert not any(spec["automountServiceAccountToken"] for spec in pod_specs(without))


def test_the_hub_has_its_rights_in_the_namespace_of_the_servers_only() -> None:
    objects = made(FULL)
    roles = [one for (kind, _), one in objects.items() if kind == "Role"]
    assert [one["metadata"]["namespace"] for one in roles] == ["people"]
    assert not any("*" in rule["verbs"] + rule["resources"] for role in roles for rule in role["rules"])
    resources = {name for role in roles for rule in role["rules"] for name in rule["resources"]}
    assert resources == {"pods", "events", "persistentvolumeclaims", "secrets"}
    secrets = next(rule for rule in roles[0]["rules"] if rule["resources"] == ["secrets"])
    assert "list" not in secrets["verbs"]


def test_homes_outlive_the_chart_and_their_namespace_is_restricted() -> None:
    namespace = made(FULL)["Namespace", "people"]["metadata"]
    assert namespace["annotations"]["helm.sh/resource-policy"] == "keep"
    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_servers_reach_no_private_address_but_those_that_are_named() -> None:
    policy = made(FULL)["NetworkPolicy", "servers"]["spec"]
    blocks = [to["ipBlock"] for rule in policy["egress"] for to in rule.get("to", []) if "ipBlock" in to]
    assert {"169.254.0.0/16", "10.0.0.0/8", "127.0.0.0/8"} <= set(blocks[0]["except"])
    assert blocks[-1] == {"cidr": "10.1.2.3/32"}
    (into,) = policy["ingress"]
    assert into["ports"] == [{"port": 8888, "protocol": "TCP"}]


def test_new_settings_start_new_pods() -> None:
    def checksum(settings: dict[str, Any]) -> str:
        deployment = made(LEAST | {"settings": settings})["Deployment", "imagine-platform"]
        return str(deployment["spec"]["template"]["metadata"]["annotations"]["checksum/settings"])

    assert checksum({"public_url": "https://a.example.org"}) != checksum({"public_url": "https://b.example.org"})


def test_each_volume_of_a_nextcloud_is_opened_by_the_secret_that_its_claim_names() -> None:
    found = made(FULL)["StorageClass", "imagine-nextcloud"]
    assert (
        found["parameters"]["csi.storage.k8s.io/node-publish-secret-name"]
        == f"${{pvc.annotations['{SECRET_ANNOTATION}']}}"
    )
    assert found["parameters"]["csi.storage.k8s.io/node-publish-secret-namespace"] == "${pvc.namespace}"
    assert found["reclaimPolicy"] == "Retain"
    assert not any(kind == "StorageClass" for kind, _ in made(LEAST))


def test_placeholders_make_way_for_every_server() -> None:
    objects = made(FULL)
    spec = objects["Deployment", "placeholder-gpu"]["spec"]["template"]["spec"]
    priority = objects["PriorityClass", spec["priorityClassName"]]
    assert priority["value"] < 0
    assert priority["preemptionPolicy"] == "Never"
    assert objects["Deployment", "placeholder-gpu"]["metadata"]["namespace"] == "people"
