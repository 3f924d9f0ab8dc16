"""The Zero to JupyterHub chart with our values: its own configuration is run, and ours wins over all it says of servers.

``make check-z2jh CHART=path`` gives the chart, which is not part of this project.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.deploy.test_chart import CHART, HELM, PROJECT
from tests.spawn.conftest import KUBECONFIG

if TYPE_CHECKING:
    from pathlib import Path

VALUES = PROJECT / "hub_config" / "deploy" / "z2jh.yaml"
PLACE = "/usr/local/etc/jupyterhub"
"""Where the chart's own configuration looks for its files."""

OURS = {
    "hub": {
        "image": {"name": "registry.example.org/imagine/hub", "tag": "0.1.0"},
        "db": {"url": "postgresql+psycopg://hub@database/hub"},
    }
}
MEDDLING = {
    "singleuser": {
        "image": {"name": "stock/singleuser", "tag": "4"},
        "uid": 0,
        "fsGid": 0,
        "allowPrivilegeEscalation": True,
        "serviceAccountName": "cluster-admin",
        "memory": {"limit": "1T"},
        "extraEnv": {"LEAK": "secret"},
        "extraContainers": [{"name": "spy", "image": "spy"}],
        "initContainers": [{"name": "root", "image": "root"}],
        "extraPodConfig": {"hostNetwork": True},
        "nodeSelector": {"wrong": "node"},
        "extraTolerations": [{"key": "any", "operator": "Exists"}],
        "extraNodeAffinity": {"required": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]},
        "profileList": [{"display_name": "root", "kubespawner_override": {"uid": 0}}],
        "lifecycleHooks": {"postStart": {"exec": {"command": ["sh"]}}},
    }
}
SPEC_OF_A_POD = """
import asyncio, json, sys
from kubernetes_asyncio.client import ApiClient
from traitlets.config.loader import PyFileConfigLoader
import kubernetes_asyncio.config.kube_config as kube
kube.KUBE_CONFIG_DEFAULT_LOCATION = sys.argv[2]
config = PyFileConfigLoader(sys.argv[1]).load_config()

async def spec():
    from hub_config.spawn.options import SpawnRequest
    from hub_config.spawn.pods import pod_traits
    spawner = config.JupyterHub.spawner_class(config=config, _mock=True)
    settings = spawner.settings
    hardware = settings.spawn.profiles["small"]
    spawner.request = SpawnRequest(module="m", profile="small", hardware=hardware, image="i@sha256:" + "0" * 64)
    for name, value in pod_traits(spawner.request, settings.spawn, settings.kubernetes).items():
        setattr(spawner, name, value)
    await spawner.load_user_options()
    async with ApiClient() as client:
        return client.sanitize_for_serialization(await spawner.get_pod_manifest())["spec"]

print(json.dumps(asyncio.run(spec())))
"""


@pytest.fixture(scope="module")
def chart() -> str:
    found = os.environ.get("CHART", "")
    if not found:
        pytest.skip("no Zero to JupyterHub chart is given (make check-z2jh CHART=path)")
    return found


def made(chart: str, folder: Path, **more: Any) -> dict[tuple[str, str], dict[str, Any]]:
    (folder / "ours.yaml").write_text(yaml.safe_dump(OURS))
    (folder / "more.yaml").write_text(yaml.safe_dump(more))
    files = ["-f", VALUES, "-f", folder / "ours.yaml", "-f", folder / "more.yaml"]
    command = [HELM, "template", "hub", chart, "-n", "imagine", "--kube-version", "1.35.0", *files]
    answer = subprocess.run(list(map(str, command)), text=True, capture_output=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(answer.stdout) if one}


def pod_spec(chart: str, folder: Path, **more: Any) -> dict[str, Any]:
    """Run the chart's configuration of the hub, ours within it, and make a pod."""
    folder.mkdir()
    objects = made(chart, folder, **more)
    for kind, name in (("ConfigMap", "config"), ("Secret", "secret")):
        (folder / name).mkdir()
        for key, value in objects[kind, "hub"]["data"].items():
            text = value if kind == "ConfigMap" else base64.b64decode(value).decode()
            (folder / name / key).write_text(text.replace(PLACE, str(folder)))
    for name in ("jupyterhub_config.py", "z2jh.py"):
        (folder / "config" / name).rename(folder / name)
    (folder / "kubeconfig").write_text(KUBECONFIG)
    settings = {"state": str(folder), "spawn": {"spawner": "kubernetes"}, "hub_listen": "hub.imagine.svc:8081"}
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    answer = subprocess.run(
        [sys.executable, "-c", SPEC_OF_A_POD, str(folder / "jupyterhub_config.py"), str(folder / "kubeconfig")],
        env=os.environ
        | {
            "PROXY_API_SERVICE_PORT": "8001",
            "HUB_SERVICE_PORT": "8081",
            "IMAGINE_SETTINGS": str(folder / "settings.yaml"),
        },
        text=True,
        capture_output=True,
        cwd=PROJECT,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    spec: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return spec


def test_ours_wins_over_all_that_the_chart_says_of_servers(chart: str, tmp_path: Path) -> None:
    plain = pod_spec(chart, tmp_path / "plain")
    meddled = pod_spec(chart, tmp_path / "meddled", **MEDDLING)
    assert meddled == plain
    environment = {one["name"]: one.get("value") for one in plain["containers"][0]["env"]}
    assert environment["JUPYTERHUB_API_URL"].startswith("http://hub.imagine.svc:8081/")


def test_the_hub_reads_the_settings_that_our_chart_makes(chart: str, tmp_path: Path) -> None:
    tmp_path.joinpath("x").mkdir()
    pod = made(chart, tmp_path / "x")["Deployment", "hub"]["spec"]["template"]["spec"]
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert volumes["settings"]["configMap"]["name"] == "imagine-settings"
    assert "name: imagine-settings" in (CHART / "templates" / "settings.yaml").read_text()
    assert {"name": "IMAGINE_SETTINGS", "value": "/etc/imagine/settings.yaml"} in pod["containers"][0]["env"]


def test_nothing_of_the_chart_is_privileged(chart: str, tmp_path: Path) -> None:
    for (kind, name), one in made(chart, tmp_path).items():
        if kind in {"Deployment", "DaemonSet", "Job"}:
            spec = one["spec"]["template"]["spec"]
            for container in [*spec["containers"], *spec.get("initContainers", [])]:
                assert container["securityContext"]["allowPrivilegeEscalation"] is False, (name, container["name"])
        assert kind not in {"ClusterRole", "Role"}, name
