"""The workspace, installed in the cluster that KUBECONFIG names, with an IAM and a storage of its own beside it.

``CHART`` is the Zero to JupyterHub chart, ``IMAGES`` a YAML file with the full name of each of our images, by digest. What is made is
in three namespaces whose names begin with ``imagine-test``, and is taken away at the end.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from tests.conftest import PROJECT
from tests.kubernetes import forwarder
from tests.kubernetes.cluster import apply, get, kubectl, run_in, service, until
from tests.workspace.person import Person

if TYPE_CHECKING:
    from collections.abc import Iterator

HUB, SERVERS, DEMO = "imagine-test", "imagine-test-servers", "imagine-test-demo"
URL = f"http://proxy-public.{HUB}.svc"
IAM, STORAGE = f"http://iam.{DEMO}.svc:8001", f"http://storage.{DEMO}.svc:8002"
DEPLOY = PROJECT / "hub_config" / "deploy"
HELM = Path(sys.executable).with_name("helm")
PEOPLE = {"ada": ["imagine-users", "imagine-admins"], "rosa": ["imagine-users"], "nils": ["imagine-users"]}
PROFILES = {
    "small": {"title": "Small", "cpu": 0.5, "memory_mb": 1024, "disk_mb": 2048, "shm_mb": 64},
    "gpu": {"title": "GPU", "cpu": 0.5, "memory_mb": 1024, "gpu": 1, "gpu_flavour": "test", "disk_mb": 2048},
    "huge": {"title": "Huge", "cpu": 0.5, "memory_mb": 4_000_000},
    "tight": {"title": "Tight", "cpu": 0.5, "memory_mb": 48},
}
GPU = "imagine-ai.eu/test-gpu"
MISSING = f"registry.invalid/imagine/none@sha256:{'0' * 64}"


@dataclass
class Workspace:
    """What the tests know of it."""

    images: dict[str, str]
    passwords: dict[str, str]
    proxy: str
    """Through which people reach the cluster's names."""
    url: str = URL

    def sign_in(self, name: str) -> ClusterPerson:
        """Return somebody who has signed in."""
        person = ClusterPerson(self, name)
        page = person.sign_in()
        assert page.url.path in ("/hub/home", "/hub/spawn"), page.text
        return person


class ClusterPerson(Person):
    """Somebody outside the cluster."""

    def __init__(self, workspace: Workspace, name: str) -> None:
        httpx.Client.__init__(
            self,
            base_url=workspace.url,
            follow_redirects=True,
            timeout=120,
            trust_env=False,
            proxy=workspace.proxy,
        )
        self.workspace, self.name = workspace, name  # type: ignore[assignment]

    def server_api(self, path: str, method: str = "GET", **arguments: Any) -> httpx.Response:
        """Call the person's own Jupyter server."""
        headers = {"Authorization": f"token {self.token()}"}
        with httpx.Client(proxy=self.workspace.proxy, trust_env=False, timeout=60) as client:  # type: ignore[attr-defined]
            return client.request(method, f"{URL}/user/{self.name}/api/{path}", headers=headers, **arguments)

    @property
    def pod(self) -> dict[str, Any]:
        """The person's pod; nothing where there is none."""
        return get("pod", f"server-{self.name}", SERVERS)


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    missing = [name for name in ("KUBECONFIG", "CHART", "IMAGES") if not os.environ.get(name)]
    if missing:
        pytest.skip(f"no cluster is named: {', '.join(missing)} not set (make test-kubernetes)")
    found: dict[str, str] = yaml.safe_load(Path(os.environ["IMAGES"]).read_text())
    return found


@pytest.fixture(scope="session")
def workspace(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Everything, from the first namespace to the last; kept for another look with KEEP=1."""
    passwords = {name: secrets.token_urlsafe(12) for name in PEOPLE}
    folder = tmp_path_factory.mktemp("cluster")
    try:
        _start_demo(images, passwords)
        _install(images, folder)
        with _reached() as proxy:
            yield Workspace(images, passwords, proxy)
    finally:
        if not os.environ.get("KEEP"):
            remove()


def remove() -> None:
    """Take everything away."""
    for release in ("hub", "imagine"):
        helm("uninstall", release, "--namespace", HUB, "--ignore-not-found", check=False)
    kubectl("delete", "namespace", HUB, SERVERS, DEMO, "--ignore-not-found", "--wait=true", "--timeout=300s")


def helm(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run helm."""
    done = subprocess.run([str(HELM), *words], capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0 or not check, done.stderr
    return done


def _start_demo(images: dict[str, str], passwords: dict[str, str]) -> None:
    client = secrets.token_urlsafe(24)
    for name in (HUB, DEMO):
        apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    proxy_code = Path(forwarder.__file__).read_text()
    apply(
        _secret("imagine-secrets", HUB, **_secrets(client)),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "forwarder", "namespace": DEMO},
            "data": {"forwarder.py": proxy_code},
        },
        *_demo_service("iam", 8001, images, IMAGINE_IAM_URL=IAM, IMAGINE_IAM_LISTEN="0.0.0.0:8001", IMAGINE_IAM_STATE="/state"),
        *_demo_service(
            "storage", 8002, images, IMAGINE_STORAGE_URL=STORAGE, IMAGINE_STORAGE_LISTEN="0.0.0.0:8002",
            IMAGINE_STORAGE_STATE="/state", IMAGINE_IAM_URL=IAM,
        ),
        *service(
            "forwarder", DEMO, forwarder.PORT,
            {
                "image": images["demo"], "command": ["python", "/code/forwarder.py"],
                "volumeMounts": [{"name": "code", "mountPath": "/code"}],
            },
            volumes=[{"name": "code", "configMap": {"name": "forwarder"}}],
        ),
    )  # fmt: skip
    for name in ("iam", "storage", "forwarder"):
        kubectl("rollout", "status", f"deployment/{name}", "--namespace", DEMO, "--timeout=300s")
    run_in("deploy/iam", DEMO, "python", "-m", "hub_config.local.iam.seed", given=_seed(client, passwords))


def _demo_service(name: str, port: int, images: dict[str, str], **environment: str) -> list[dict[str, Any]]:
    container = {
        "image": images["demo"],
        "command": ["python", "-m", f"hub_config.local.{name}"],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "volumeMounts": [{"name": "state", "mountPath": "/state"}],
    }
    return service(name, DEMO, port, container, volumes=[{"name": "state", "emptyDir": {}}])


def _seed(client: str, passwords: dict[str, str]) -> str:
    people = [
        {"username": name, "name": name.title(), "email": f"{name}@example.org", "groups": groups, "password": passwords[name]}
        for name, groups in PEOPLE.items()
    ]  # fmt: skip
    hub = {
        "id": "imagine-workspace", "secret": client, "name": "Workspace",
        "redirect_uris": [f"{URL}/hub/oauth_callback"], "post_logout_redirect_uris": [f"{URL}/hub/"],
    }  # fmt: skip
    return yaml.safe_dump({"users": people, "clients": [hub]}, default_flow_style=True, width=10**6)


def _secrets(client: str) -> dict[str, str]:
    return {
        "iam-client": client,
        "crypt-keys": secrets.token_hex(32),
        "platform-token": secrets.token_hex(32),
        "operator-token": secrets.token_hex(32),
        "pgpass": "",
    }


def _secret(name: str, namespace: str, **values: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": values,
    }


def _install(images: dict[str, str], folder: Path) -> None:
    """Install as the operator's guide says, from its own files."""
    guide = (PROJECT / "docs" / "operator" / "kubernetes.md").read_text()
    values = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)[0])
    ours = folder / "ours.yaml"
    ours.write_text(yaml.safe_dump(_values(values, images)))
    apply(
        {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "model-store", "namespace": HUB},
            "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
        }
    )  # fmt: skip
    helm("upgrade", "--install", "imagine", str(DEPLOY / "chart"), "--namespace", HUB, "--values", str(ours))
    theirs = folder / "theirs.yaml"
    theirs.write_text(yaml.safe_dump(_hub_values(images)))
    files = ["--values", str(DEPLOY / "z2jh.yaml"), "--values", str(theirs)]
    helm("upgrade", "--install", "hub", os.environ["CHART"], "--namespace", HUB, *files, "--timeout", "10m")
    for name in ("imagine-platform", "imagine-controller", "hub", "proxy"):
        kubectl("rollout", "status", f"deployment/{name}", "--namespace", HUB, "--timeout=300s")


def _values(guide: dict[str, Any], images: dict[str, str]) -> dict[str, Any]:
    name, _, digest = images["platform"].partition("@")
    settings = guide["settings"] | {
        "public_url": URL,
        "hub_listen": f"hub.{HUB}.svc:8081",
        "iam": guide["settings"]["iam"] | {"issuer": IAM},
        "storage": {"url": STORAGE},
    }
    settings["platform"] = settings["platform"] | {
        "url": f"http://imagine-platform.{HUB}.svc:8005",
        "database_url": "sqlite:////var/lib/imagine/model-store/platform.sqlite",
        "probe_seconds": 2,
    }
    settings["spawn"] = {
        "spawner": "kubernetes",
        "start_timeout": 120,
        "profiles": PROFILES,
        "gpu_flavours": {"test": {"title": "Test GPU", "resource": GPU}},
    }
    keeps = {"contract": 1}
    settings["kubernetes"] = {
        "namespace": SERVERS,
        "images": {"phytoplankton": {"image": images["phytoplankton"], **keeps}},
        "home": {"size": "1Gi"},
    }
    demo = [{"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": DEMO}}}]}]
    return {
        "image": {"name": name, "digest": digest},
        "settings": settings,
        "modelStoreClaim": "model-store",
        "servers": {"namespace": SERVERS},
        "hub": {"namespace": HUB},
        "api": {"replicas": 2, "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}},
        "controller": {"replicas": 2, "resources": {"requests": {"cpu": "20m", "memory": "128Mi"}}},
        "networkPolicy": {"extraEgress": demo},
    }


def _hub_values(images: dict[str, str]) -> dict[str, Any]:
    def split(image: str) -> dict[str, str]:
        name, _, digest = image.partition("@")
        return {"name": name, "tag": f"0.1.0@{digest}"}

    return {
        "hub": {
            "image": split(images["hub"]),
            "db": {"type": "sqlite-pvc", "url": None},
            "networkPolicy": {"egress": [{"to": [{"namespaceSelector": {}}]}]},
            "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}},
        },
        "proxy": {"service": {"type": "ClusterIP"}, "chp": {"image": split(images["proxy"])}},
        "prePuller": {"continuous": {"enabled": False}},
        "cull": {"timeout": 30, "every": 5},
    }


@contextmanager
def _reached() -> Iterator[str]:
    """Let this machine reach the forwarder."""
    command = ["kubectl", "port-forward", "--namespace", DEMO, "deployment/forwarder", f":{forwarder.PORT}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            match = until(lambda: re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline()), "the port", 30)  # type: ignore[union-attr]
            yield f"http://127.0.0.1:{match[1]}"
        finally:
            process.terminate()
