"""The images, started: they keep their contract, and do what they are for."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import tarfile
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.images.containers import SECONDS_TO_END, container
from tests.images.test_table import TABLE
from tests.platform.conftest import free_port, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.images.containers import Container

pytestmark = [pytest.mark.images, pytest.mark.timeout(3600)]

SERVERS = [image.name for image in TABLE.values() if image.is_server]
HUB = """
import os
from jupyterhub.proxy import Proxy
from jupyterhub.spawner import SimpleLocalProcessSpawner
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = SimpleLocalProcessSpawner
c.Authenticator.allow_all = True
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{os.environ['HUB_PORT']}"
c.JupyterHub.services = [{"name": "test", "api_token": os.environ["TEST_TOKEN"]}]
c.JupyterHub.load_roles = [{"name": "test", "services": ["test"], "scopes": ["admin:users", "tokens", "access:servers"]}]
class NoProxy(Proxy):
    should_start = False
    async def add_route(self, *_): ...
    async def delete_route(self, *_): ...
    async def get_all_routes(self): return {}
c.JupyterHub.proxy_class = NoProxy
"""
NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code", "id": "a", "execution_count": None, "metadata": {}, "outputs": [],
            "source": "import imagine_lib as im\nfrom imagine_lib.data.synthetic import write_dataset\n"
            "from pathlib import Path\nwrite_dataset(Path('images'), ['disc', 'rod'], each=3, seed=1, samples=range(3))\n"
            "found = im.load('phytoplankton').predict('images')\nprint(len(found), 'answers')",
        }
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "nbformat": 4, "nbformat_minor": 5,
}  # fmt: skip
MARKS_OF_SECRETS = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|AKIA[0-9A-Z]{16}|ghp_[A-Za-z0-9]{36}")
CLOSED_NAMES = {"run/secrets", "root/.netrc", "root/.pypirc", "root/.config/pip", "etc/pip.conf", "etc/uv"}
COUNT_MODULES = (
    "import os; from imagine_lib import catalogue; print(len(catalogue.load(os.environ['IMAGINE_CATALOGUE'])))"
)
SMALL = 64 * 1024


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tags: dict[str, str], tmp_path_factory: Any) -> Iterator[Container]:
    folder = tmp_path_factory.mktemp(request.param)
    with container(tags[request.param], folder, ["sleep", "3600"]) as running:
        yield running


def test_a_server_runs_as_an_ordinary_user_who_can_become_nobody_else(server: Container) -> None:
    assert server.run("id", "--user").stdout.strip() == "1000"
    assert server.run("id", "--group").stdout.strip() == "1000"
    status = server.run("cat", "/proc/self/status").stdout
    assert re.search(r"^CapEff:\s*0+$", status, re.MULTILINE)
    assert server.run("touch", "/opt/imagine/planted").returncode != 0
    assert server.run("touch", "/etc/planted").returncode != 0


def test_a_server_declares_the_contract(server: Container) -> None:
    assert server.config["Labels"]["eu.imagine-ai.image-contract"] == "1"


def test_a_new_home_gets_the_tutorials_and_a_changed_one_is_left(server: Container) -> None:
    until(lambda: "01-retrain-and-share.ipynb" in server.run("ls", "/home/jovyan/tutorials").stdout)
    mine = "/home/jovyan/tutorials/01-retrain-and-share.ipynb"
    assert server.run("sh", "-c", f"echo mine > {mine}; start true; cat {mine}").stdout.strip() == "mine"


def test_the_lab_has_the_panel_and_the_workspaces_settings(server: Container) -> None:
    listed = server.run("jupyter", "labextension", "list")
    assert re.search(r"imagine-lab v[\d.]+.*enabled.*OK", listed.stderr + listed.stdout)
    extensions = server.run("jupyter", "server", "extension", "list")
    assert re.search(r"imagine_lab\s.*OK", extensions.stderr + extensions.stdout)
    shown = server.run("jupyter", "lab", "--show-config-json").stdout
    assert json.loads(shown)["LabApp"]["extension_manager"] == "readonly"


def test_rclone_and_the_command_line_are_there(server: Container) -> None:
    assert server.run("rclone", "version").returncode == 0
    assert server.run("imagine", "--version").returncode == 0


def test_users_can_install_packages_of_their_own_beside_ours(server: Container) -> None:
    where = server.run("python", "-c", "import site; print(site.ENABLE_USER_SITE, site.getusersitepackages())").stdout
    assert where.startswith("True /home/jovyan/.local/")
    assert server.run("python", "-m", "pip", "install", "--dry-run", "--no-index", "numpy").returncode == 0


def test_the_module_predicts_in_a_kernel(tags: dict[str, str], tmp_path: Path) -> None:
    with container(tags["phytoplankton-classification"], tmp_path, ["sleep", "3600"]) as running:
        (tmp_path / "home" / "try.ipynb").write_text(json.dumps(NOTEBOOK))
        done = running.run("papermill", "--cwd", "/home/jovyan", "/home/jovyan/try.ipynb", "/home/jovyan/done.ipynb")
        assert done.returncode == 0, done.stderr
        (cell,) = json.loads((tmp_path / "home" / "done.ipynb").read_text())["cells"]
        assert "6 answers" in json.dumps(cell["outputs"])


def test_a_server_answers_its_hub_and_ends_when_it_is_told(
    tags: dict[str, str], hub: Callable[..., Any], tmp_path: Path
) -> None:
    port = free_port()
    environment = hub("ada", port)
    with container(tags["base"], tmp_path, **environment) as running:
        headers = {"Authorization": f"token {environment['TEST_TOKEN']}"}

        def answer() -> dict[str, Any]:
            try:
                return httpx.get(f"http://127.0.0.1:{port}/user/ada/api/status", headers=headers).json()
            except httpx.TransportError:
                return {}

        assert "last_activity" in until(answer, 60)
        subprocess.run(["runc", "kill", running.name, "TERM"], check=True)
        begin = time.monotonic()
        until(lambda: running.state == "stopped", SECONDS_TO_END)
        assert time.monotonic() - begin < SECONDS_TO_END


@pytest.fixture
def hub(tags: dict[str, str], tmp_path_factory: Any) -> Iterator[Callable[..., Any]]:
    """Start JupyterHub from its image; return the environment of a server that it knows."""
    folder = tmp_path_factory.mktemp("hub")
    port, token = free_port(), "f" * 32
    with container(tags["hub"], folder, ["sleep", "3600"], HUB_PORT=str(port), TEST_TOKEN=token) as running:
        (folder / "home" / "config.py").write_text(HUB)
        log = (folder / "hub.log").open("wb")
        environment = ["--env", f"HUB_PORT={port}", "--env", f"TEST_TOKEN={token}"]
        command = ["runc", "exec", *environment, "--cwd", "/home/jovyan", running.name]
        process = subprocess.Popen([*command, "jupyterhub", "--config", "config.py"], stdout=log, stderr=log)
        api = f"http://127.0.0.1:{port}/hub/api"
        headers = {"Authorization": f"token {token}"}

        def environment_of(user: str, at: int) -> dict[str, str]:
            until(lambda: process.poll() is not None or _listens(port), 60)
            assert process.poll() is None, (folder / "hub.log").read_text()
            assert httpx.post(f"{api}/users/{user}", headers=headers).status_code == 201
            made = httpx.post(f"{api}/users/{user}/tokens", headers=headers, json={"note": "server"}).json()["token"]
            return {
                "JUPYTERHUB_API_TOKEN": made,
                "JUPYTERHUB_API_URL": api,
                "JUPYTERHUB_BASE_URL": "/",
                "JUPYTERHUB_CLIENT_ID": f"jupyterhub-user-{user}",
                "JUPYTERHUB_HOST": "",
                "JUPYTERHUB_OAUTH_CALLBACK_URL": f"/user/{user}/oauth_callback",
                "JUPYTERHUB_OAUTH_SCOPES": json.dumps([f"access:servers!user={user}"]),
                "JUPYTERHUB_SERVICE_PREFIX": f"/user/{user}/",
                "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{at}/user/{user}/",
                "JUPYTERHUB_USER": user,
                "TEST_TOKEN": token,
            }

        yield environment_of
        process.terminate()
        process.wait(20)
        log.close()


def test_the_platform_answers(tags: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    settings = {
        "IMAGINE_PLATFORM__LISTEN": f"127.0.0.1:{port}",
        "IMAGINE_PLATFORM__DATABASE_URL": "sqlite:////home/jovyan/platform.sqlite",
        "IMAGINE_PLATFORM__MODEL_STORE": "/home/jovyan/models",
    }
    with container(tags["platform"], tmp_path, **settings) as running:

        def answer() -> dict[str, Any]:
            try:
                return httpx.get(f"http://127.0.0.1:{port}/services/imagine/healthz").json()
            except httpx.TransportError:
                return {}

        assert until(answer, 60) == {"status": "ok"}
        assert running.run("id", "--user").stdout.strip() == "1000"


def test_the_hub_has_all_that_the_chart_starts(tags: dict[str, str], tmp_path: Path) -> None:
    with container(tags["hub"], tmp_path, ["sleep", "3600"]) as running:
        modules = "hub_config.configure, hub_config.spawn.kubernetes, jupyterhub_idle_culler, pycurl, psycopg"
        done = running.run("python", "-c", f"import {modules}; {COUNT_MODULES}")
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) >= 1
        assert running.run("python", "-c", "import torch").returncode != 0


@pytest.mark.parametrize("name", TABLE)
def test_no_layer_holds_a_secret(name: str, tags: dict[str, str], tmp_path: Path) -> None:
    subprocess.run(["buildah", "push", "--quiet", "--disable-compression", tags[name], f"dir:{tmp_path}"], check=True)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    config = (tmp_path / manifest["config"]["digest"].removeprefix("sha256:")).read_bytes()
    assert not MARKS_OF_SECRETS.search(config)
    assert not re.search(rb"(?i)(index_url|password|token)=", config)
    for layer in manifest["layers"]:
        with tarfile.open(tmp_path / layer["digest"].removeprefix("sha256:")) as files:
            for file in files:
                path = file.name.removeprefix("./").rstrip("/")
                assert not any(path.startswith(closed) for closed in CLOSED_NAMES), path
                is_example = "/test" in path or "site-packages/" in path  # others' keys, for tests of theirs
                if file.isreg() and file.size < SMALL and not is_example and (content := files.extractfile(file)):
                    assert not MARKS_OF_SECRETS.search(content.read()), path


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
