"""Rosa, who has a server of her own, against Ada: a table of attempts, each refused; Ada herself succeeds at each.

What only the supervisor's account may do is tried by Rosa and done by root. A row whose owner's own attempt fails is a
broken row, so that none passes silently.
"""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from hub_config.local.places import runs_as_root
from tests.platform.conftest import User, make_package
from tests.workspace.conftest import PROJECT, Workspace
from tests.workspace.processes import run_as, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psutil

    from tests.workspace.person import Person

pytestmark = [
    pytest.mark.workspace,
    pytest.mark.skipif(not runs_as_root(), reason="only root can give users accounts of their own"),
]

SECRET = "where the seagrass grows"
REFUSED = {401, 403, 404}
"""What a refusal may be: who may not see a thing may also be told that it is not there."""


@dataclass
class Tenant:
    """A person with a running server."""

    person: Person
    uid: int
    environment: dict[str, str]
    home: Path
    mount: Path
    key: dict[str, str]
    """To the storage."""
    token: str
    """Of the hub, with all that the person may do."""
    server: psutil.Process

    @property
    def name(self) -> str:
        return self.person.name

    @property
    def server_token(self) -> str:
        return self.environment["JUPYTERHUB_API_TOKEN"]

    def dav(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        auth = (self.key["user"], self.key["password"])
        url = f"{self.key['url']}/{path}"
        return httpx.request(method, url, auth=auth, trust_env=False, timeout=30, **arguments)

    def ocs(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        headers = {"OCS-APIRequest": "true", "Accept": "application/json"}
        return self.dav(method, f"ocs/v2.php/{path}", headers=headers, **arguments)

    def hub(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        headers = {"Authorization": f"token {self.token}"}
        url = f"{self.person.workspace.url}/hub/api/{path}"
        return httpx.request(method, url, headers=headers, trust_env=False, timeout=30, **arguments)

    def platform(self) -> User:
        headers = {"Authorization": f"token {self.server_token}"}
        return User(base_url=self.environment["IMAGINE_PLATFORM_URL"], headers=headers, trust_env=False)


@dataclass
class World:
    """What the attempts are about."""

    workspace: Workspace
    rosa: Tenant
    ada: Tenant
    share: str
    """The number of a public link that Ada has made."""
    package: dict[str, bytes]
    names: dict[str, Any]
    """Variables that the code in the table uses."""


@pytest.fixture(scope="module")
def world(workspace: Workspace) -> Iterator[World]:
    rosa, ada = workspace.sign_in("rosa"), workspace.sign_in("ada")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda person: person.start_server(), (rosa, ada)))
    try:
        yield _furnish(workspace, _tenant(rosa), _tenant(ada))
    finally:
        rosa.stop_server()
        ada.stop_server()


def _tenant(person: Person) -> Tenant:
    workspace, server = person.workspace, person.workspace.server_of(person.name)
    home = workspace.folder / "homes" / person.name
    key = json.loads((home / ".config" / "imagine" / "storage.json").read_text())
    mount = workspace.folder / "mounts" / person.name
    uid = workspace.uids()[person.name]
    return Tenant(person, uid, server.environ(), home, mount, key, person.token(), server)


def _furnish(workspace: Workspace, rosa: Tenant, ada: Tenant) -> World:
    """Give Ada things that Rosa might want, and Rosa things to bring."""
    for tenant in (rosa, ada):
        for name in ("secret.txt", "scrap-1.txt", "scrap-2.txt", "scrap-3.txt"):
            assert tenant.dav("PUT", f"remote.php/dav/files/{tenant.name}/{name}", content=SECRET).is_success
    wish = {"path": "/iMagine", "shareType": "3"}
    share = ada.ocs("POST", "apps/files_sharing/api/v1/shares", data=wish).json()["ocs"]["data"]["id"]
    package = make_package(b"weights that Ada keeps to herself")
    assert ada.platform().publish("reef", package, "user:ada").status_code == 201
    kernel = ada.person.server_api("kernels", "POST", json={"name": "python3"}).json()["id"]
    runtime = ada.environment["JUPYTER_RUNTIME_DIR"]
    settings = yaml.safe_load((workspace.state / "settings.yaml").read_text())
    agent = settings["local"]["agent_socket"]
    names = {
        "home": str(ada.home), "mount": str(ada.mount), "runtime": runtime, "state": str(workspace.state),
        "homes": str(ada.home.parent), "mounts": str(ada.mount.parent), "kernel": f"{runtime}/kernel-{kernel}",
        "server": ada.server.pid, "hub": workspace.service("hub").pid, "agent": agent, "ada": ada.uid,
        "project": str(PROJECT),
    }  # fmt: skip
    until(lambda: list(Path(runtime).glob("kernel-*-ipc-1")), 60, "the start of a kernel")
    return World(workspace, rosa, ada, str(share), package, names)


# --------------------------------------------------------------------------------------- the machine's own ways

CONNECT = "import socket; socket.socket(socket.AF_UNIX).connect({})"
SEIZE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(0x4206, server, 0, 0):  # PTRACE_SEIZE: leaves the process running
    raise OSError(ctypes.get_errno(), "ptrace")
"""

OF_ADA = {
    "list her home": "import os; os.listdir(home)",
    "go into her home": "import os; os.chdir(home)",
    "read a notebook of hers": "open(home + '/tutorials/01-retrain-and-share.ipynb').read()",
    "change a notebook of hers": "open(home + '/tutorials/01-retrain-and-share.ipynb', 'r+')",
    "put a file into her home": "open(home + '/planted.py', 'w')",
    "read the key to her storage": "open(home + '/.config/imagine/storage.json').read()",
    "follow her link to her storage": "import os; os.listdir(home + '/nextcloud')",
    "list her mounted storage": "import os; os.listdir(mount)",
    "read her mounted storage": "open(mount + '/secret.txt').read()",
    "write to her mounted storage": "open(mount + '/planted.txt', 'w').close()",
    "list her sockets": "import os; os.listdir(runtime)",
    "read her kernel's connection file": "open(kernel + '.json').read()",
    "connect to her kernel": CONNECT.format("kernel + '-ipc-1'"),
    "read her server's environment": "open(f'/proc/{server}/environ').read()",
    "read her server's memory": "open(f'/proc/{server}/mem', 'rb')",
    "list her server's files": "import os; os.listdir(f'/proc/{server}/fd')",
    "signal her server": "import os; os.kill(server, 0)",
    "trace her server": SEIZE,
    "become her": "import os; os.setuid(ada) if os.getuid() != ada else None",
}
OF_THE_SUPERVISOR = {
    "list the state": "import os; os.listdir(state)",
    "list all homes": "import os; os.listdir(homes)",
    "list all mounts": "import os; os.listdir(mounts)",
    "list the secrets": "import os; os.listdir(state + '/secrets')",
    "make a home": "import os; os.mkdir(homes + '/eve'); os.rmdir(homes + '/eve')",
    "take a mount point": "import os; os.mkdir(mounts + '/eve'); os.rmdir(mounts + '/eve')",
    "ask the supervisor": CONNECT.format("agent"),
    "list where the supervisor's socket is": "import os; os.listdir(os.path.dirname(agent))",
    "read the hub's environment": "open(f'/proc/{hub}/environ').read()",
    "signal the hub": "import os; os.kill(hub, 0)",
    "change the library": "open(project + '/imagine_lib/__init__.py', 'r+')",
    "change what servers read at their start": "open(project + '/hub_config/spawn/lab/jupyter_server_config.py', 'r+')",
    "change the environment": "import sys; open(sys.prefix + '/pyvenv.cfg', 'r+')",
    "take a name among the folders of sockets": "import os; os.mkdir(os.path.dirname(runtime) + '/eve'); os.rmdir(os.path.dirname(runtime) + '/eve')",
}
STATE_FILES = [
    "settings.yaml", "accounts.json", "sockets", "secrets/demo-passwords.json", "secrets/iam-client",
    "secrets/platform-token", "secrets/proxy-token", "hub/hub.sqlite", "hub/cookie_secret", "hub/crypt_keys",
    "hub/servers/ada.log", "iam/iam.sqlite", "iam/signing-key.pem", "iam/secret-key", "storage/storage.sqlite",
    "storage/data/ada/files/secret.txt", "platform/platform.sqlite", "mounts/ada/rclone.conf", "logs/hub.log",
]  # fmt: skip


def _attempt(world: World, uid: int, code: str) -> str:
    """Return the last line of the traceback of a failed attempt; nothing of one that succeeded."""
    done = run_as(uid, code, world.rosa.environment, **world.names)
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


@pytest.mark.parametrize("deed", OF_ADA)
def test_rosa_cannot_but_ada_can(world: World, deed: str) -> None:
    assert _attempt(world, world.rosa.uid, OF_ADA[deed]).startswith("PermissionError"), deed
    assert _attempt(world, world.ada.uid, OF_ADA[deed]) == ""


@pytest.mark.parametrize("deed", OF_THE_SUPERVISOR)
def test_users_cannot_but_the_supervisors_account_can(world: World, deed: str) -> None:
    for tenant in (world.rosa, world.ada):
        assert _attempt(world, tenant.uid, OF_THE_SUPERVISOR[deed]).startswith("PermissionError"), deed
    assert _attempt(world, 0, OF_THE_SUPERVISOR[deed]) == ""


@pytest.mark.parametrize("file", STATE_FILES)
def test_users_cannot_read_a_file_of_the_state(world: World, file: str) -> None:
    code = f"open(state + '/{file}', 'rb').read(1)"
    assert _attempt(world, world.rosa.uid, code).startswith("PermissionError")
    assert _attempt(world, 0, code) == ""


def test_the_files_of_shared_models_are_in_the_state_that_nobody_can_enter(world: World) -> None:
    kept = [path for path in (world.workspace.state / "platform" / "models").rglob("*") if path.is_file()]
    assert any(path.read_bytes() == world.package["model.safetensors"] for path in kept)
    for path in kept:
        assert _attempt(world, world.rosa.uid, f"open({str(path)!r})").startswith("PermissionError")


# ------------------------------------------------------------------------------------------------------- storage

FILES = "remote.php/dav/files"
DAV = {
    "list": ("PROPFIND", f"{FILES}/ada/iMagine/", {"headers": {"Depth": "1"}}),
    "read": ("GET", f"{FILES}/ada/secret.txt", {}),
    "look at": ("HEAD", f"{FILES}/ada/secret.txt", {}),
    "write": ("PUT", f"{FILES}/ada/planted.txt", {"content": "x"}),
    "overwrite": ("PUT", f"{FILES}/ada/scrap-1.txt", {"content": "x"}),
    "make a folder": ("MKCOL", f"{FILES}/ada/planted", {}),
    "copy out": ("COPY", f"{FILES}/ada/secret.txt", {"to": f"{FILES}/{{me}}/copy.txt"}),
    "copy in": ("COPY", f"{FILES}/{{me}}/secret.txt", {"to": f"{FILES}/ada/brought.txt"}),
    "move out": ("MOVE", f"{FILES}/ada/scrap-1.txt", {"to": f"{FILES}/{{me}}/moved.txt"}),
    "move in": ("MOVE", f"{FILES}/{{me}}/scrap-2.txt", {"to": f"{FILES}/ada/pushed.txt"}),
    "delete": ("DELETE", f"{FILES}/ada/scrap-3.txt", {}),
}


@pytest.mark.parametrize("deed", DAV)
def test_rosas_key_does_nothing_in_adas_storage(world: World, deed: str) -> None:
    method, path, more = DAV[deed]
    for tenant in (world.rosa, world.ada):
        arguments = {name: value for name, value in more.items() if name != "to"}
        if "to" in more:
            arguments["headers"] = {"Destination": f"{tenant.key['url']}/{more['to'].format(me=tenant.name)}"}
        answer = tenant.dav(method, path.format(me=tenant.name), **arguments)
        if tenant is world.rosa:
            assert answer.status_code in REFUSED, deed
            assert SECRET not in answer.text
        else:
            assert answer.is_success, (deed, answer.text)


def test_of_anothers_home_rosas_key_sees_that_it_is_there_and_nothing_in_it(world: World) -> None:
    of_ada, of_rosa = (
        tenant.dav("PROPFIND", f"{FILES}/ada/", headers={"Depth": "1"}) for tenant in (world.ada, world.rosa)
    )
    assert "secret.txt" in of_ada.text
    assert "secret.txt" not in of_rosa.text
    assert of_rosa.text.count("<d:response>") <= 1


@pytest.mark.parametrize(
    "path",
    [
        "rosa/../ada/secret.txt", "rosa/%2e%2e/ada/secret.txt", "rosa/..%2fada/secret.txt", "rosa%2f..%2fada/secret.txt",
        "rosa/%252e%252e/ada/secret.txt", "rosa//../ada/secret.txt", "rosa/..\\ada\\secret.txt", "./ada/secret.txt",
        "ada%00/secret.txt", "Ada/secret.txt", "%61da/secret.txt", "rosa/../../../../storage/data/ada/files/secret.txt",
    ],
)  # fmt: skip
def test_no_spelling_of_a_path_leads_rosas_key_into_adas_storage(world: World, path: str) -> None:
    assert SECRET in _raw(world.ada, f"/{FILES}/ada/secret.txt")[1]
    status, text = _raw(world.rosa, f"/{FILES}/{path}")
    assert status in REFUSED | {400, 405}
    assert SECRET not in text


def _raw(tenant: Tenant, target: str) -> tuple[int, str]:
    """Send a path as it is written."""
    connection = http.client.HTTPConnection(urlsplit(tenant.key["url"]).netloc, timeout=20)
    header = httpx.BasicAuth(tenant.key["user"], tenant.key["password"])._auth_header
    connection.request("GET", target, headers={"Authorization": header})
    answer = connection.getresponse()
    return answer.status, answer.read().decode(errors="replace")


OCS = {
    "a share of hers": ("GET", "apps/files_sharing/api/v1/shares/{share}", {}),
    "a change of a share of hers": ("PUT", "apps/files_sharing/api/v1/shares/{share}", {"data": {"note": "mine"}}),
    "a share of a file of hers": (
        "POST", "apps/files_sharing/api/v1/shares",
        {"data": {"path": "/planted.txt", "shareType": "0", "shareWith": "rosa"}},
    ),
    "her account": ("GET", "cloud/users/ada", {}),
    "the end of a share of hers": ("DELETE", "apps/files_sharing/api/v1/shares/{share}", {}),
}  # fmt: skip


@pytest.mark.parametrize("deed", OCS)
def test_rosas_key_learns_and_changes_nothing_about_adas_account(world: World, deed: str) -> None:
    method, path, more = OCS[deed]
    refused = world.rosa.ocs(method, path.format(share=world.share), **more)
    assert refused.status_code in REFUSED, refused.text
    allowed = world.ada.ocs(method, path.format(share=world.share), **more)
    assert allowed.is_success, allowed.text


def test_each_key_lists_only_shares_of_its_own(world: World) -> None:
    wish = {"path": "/iMagine/cruise-42", "shareType": "3"}
    made = world.ada.ocs("POST", "apps/files_sharing/api/v1/shares", data=wish).json()["ocs"]["data"]["id"]
    listed = {
        tenant.name: [share["id"] for share in tenant.ocs("GET", "apps/files_sharing/api/v1/shares").json()["ocs"]["data"]]
        for tenant in (world.rosa, world.ada)
    }  # fmt: skip
    assert made in listed["ada"]
    assert made not in listed["rosa"]


# ------------------------------------------------------------------------------------------------------ platform

PLATFORM = {
    "see her model": ("GET", "/models/ada/reef", None),
    "see a version": ("GET", "/models/ada/reef/versions/1", None),
    "see the latest": ("GET", "/models/ada/reef/versions/latest", None),
    "read its card": ("GET", "/models/ada/reef/versions/1/files/README.md", None),
    "read its weights": ("GET", "/models/ada/reef/versions/1/files/model.safetensors", None),
    "withdraw it": ("POST", "/models/ada/reef/versions/1/withdraw", {"reason": "not mine"}),
}


@pytest.mark.parametrize("deed", PLATFORM)
def test_rosas_token_does_not_reach_adas_model(world: World, deed: str) -> None:
    method, path, body = PLATFORM[deed]
    refused = world.rosa.platform().request(method, path, json=body)
    assert refused.status_code == 404, refused.text
    assert "herself" not in refused.text
    assert world.ada.platform().request(method, path, json=body).is_success


def test_only_ada_finds_her_model_in_the_list(world: World) -> None:
    content = make_package(b"a second one")
    assert world.ada.platform().publish("kelp", content, "user:ada").status_code == 201
    for query in ({}, {"owner": "ada"}, {"q": "kelp"}):
        found = {
            tenant.name: [
                f"{item['owner']}/{item['name']}"
                for item in tenant.platform().get("/models", params=query).json()["items"]
            ]
            for tenant in (world.rosa, world.ada)
        }
        assert "ada/kelp" in found["ada"]
        assert not any(name.startswith("ada/") for name in found["rosa"])


def test_rosa_cannot_publish_files_that_only_ada_has_brought_nor_in_adas_name(world: World) -> None:
    rosa, ada = world.rosa.platform(), world.ada.platform()
    content = make_package(b"brought by Ada alone")
    for data in content.values():
        assert ada.put_blob(data).status_code in (200, 201)
    assert 400 <= rosa.post_version("loot", content, "user:rosa").status_code < 500
    assert rosa.get("/models/rosa/loot").status_code == 404
    assert ada.post_version("loot", content, "user:ada").status_code == 201
    mine = make_package(b"brought by Rosa")
    answer = rosa.publish("reef", mine, "everyone")
    assert answer.json()["owner"] == "rosa"
    assert {item["owner"] for item in ada.get("/models/ada/reef").json()["items"]} == {"ada"}
    assert rosa.post("/models/rosa/reef/versions/1/withdraw", json={"reason": "a test"}).is_success


# ----------------------------------------------------------------------------------------------------------- hub

HUB = {
    "list users": ("GET", "users", None),
    "see her": ("GET", "users/ada", None),
    "list her tokens": ("GET", "users/ada/tokens", None),
    "make a token of hers": ("POST", "users/ada/tokens", {"note": "planted", "expires_in": 60}),
    "see her server's progress": ("GET", "users/ada/server/progress", None),
    "start a server of hers": ("POST", "users/ada/server", {"module": "phytoplankton"}),
    "stop her server": ("DELETE", "users/ada/server", None),
    "report activity of hers": ("POST", "users/ada/activity", {"last_activity": "2026-01-01T00:00:00Z"}),
    "change her": ("PATCH", "users/ada", {"admin": True}),
    "delete her": ("DELETE", "users/ada", None),
    "become an administrator": ("PATCH", "users/rosa", {"admin": False}),
    "create a user": ("POST", "users/eve", None),
    "list groups": ("GET", "groups", None),
    "see a group": ("GET", "groups/imagine-admins", None),
    "join the administrators": ("POST", "groups/imagine-admins/users", {"users": ["rosa"]}),
    "list services": ("GET", "services", None),
    "see the proxy's routes": ("GET", "proxy", None),
    "see the hub's inside": ("GET", "info", None),
    "stop the hub": ("POST", "shutdown", {"proxy": False, "servers": False}),
}
UNDONE = {"start a server of hers", "stop her server", "delete her", "create a user", "join the administrators",
          "stop the hub"}  # fmt: skip
"""Not done by Ada either, who needs what they would take away or leave behind."""


@pytest.mark.parametrize("deed", HUB)
def test_none_of_rosas_credentials_does_it_at_the_hub(world: World, deed: str) -> None:
    method, path, body = HUB[deed]
    person = world.rosa.person
    url = f"{world.workspace.url}/hub/api/{path}"
    credentials = [
        {"headers": {"Authorization": f"token {world.rosa.token}"}},
        {"headers": {"Authorization": f"token {world.rosa.server_token}"}},
        {"headers": {"X-XSRFToken": person.headers["X-XSRFToken"]}, "cookies": person.cookies},
    ]
    for credential in credentials:
        with httpx.Client(trust_env=False, timeout=30, **credential) as client:
            answer = client.request(method, url, json=body)
        assert answer.status_code in {403, 404}, answer.text
        assert world.ada.server_token not in answer.text
    if deed not in UNDONE:
        assert world.ada.hub(method, path, json=body).is_success
    assert world.ada.server.is_running()


def test_no_token_of_rosas_shows_the_iams_tokens(world: World) -> None:
    for token in (world.rosa.token, world.rosa.server_token):
        headers = {"Authorization": f"token {token}"}
        for path in ("user", "users/rosa"):
            answer = httpx.get(f"{world.workspace.url}/hub/api/{path}", headers=headers, trust_env=False)
            assert "access_token" not in answer.text
            assert "auth_state" not in answer.text
    assert world.rosa.hub("GET", "user").json()["name"] == "rosa"


# --------------------------------------------------------------------------------------------- servers and pages


@pytest.mark.parametrize("path", ["status", "contents", "kernels", "sessions", "terminals", "me"])
@pytest.mark.parametrize("way", ["through the proxy", "straight to its port"])
def test_rosa_does_not_get_into_adas_server(world: World, path: str, way: str) -> None:
    base = world.workspace.url if way == "through the proxy" else world.ada.environment["JUPYTERHUB_SERVICE_URL"]
    url = f"{base.removesuffix('/user/ada/')}/user/ada/api/{path}"
    for token in (world.rosa.token, world.rosa.server_token, ""):
        headers = {"Authorization": f"token {token}"} if token else {}
        answer = httpx.get(url, headers=headers, trust_env=False, timeout=20)
        assert answer.status_code == 403, answer.text
    assert httpx.get(url, cookies=world.rosa.person.cookies, trust_env=False, timeout=20).status_code == 403
    headers = {"Authorization": f"token {world.ada.token}"}
    assert httpx.get(url, headers=headers, trust_env=False, timeout=20).status_code == 200


@pytest.mark.parametrize(
    "path", ["/user/ada/lab", "/user/ada/files/tutorials/01-retrain-and-share.ipynb", "/hub/spawn/ada", "/hub/admin"]
)
def test_rosas_browser_does_not_open_adas_pages(world: World, path: str) -> None:
    assert world.rosa.person.get(path).status_code in {403, 404}
    assert world.ada.person.get(path).status_code == 200


def test_only_an_administrator_opens_the_approvals(world: World) -> None:
    page = f"{world.workspace.address('iam')}/approvals"
    assert world.rosa.person.get(page).status_code == 403
    assert world.ada.person.get(page).status_code == 200
    fields = {"account": "00000000-0000-0000-0000-000000000000", "decision": "approve", "group": "imagine-admins"}
    token = world.rosa.person.cookies.get("csrftoken") or ""
    headers = {"Referer": page, "X-CSRFToken": token}
    assert world.rosa.person.post(page, data=fields, headers=headers).status_code == 403


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/routes"), ("POST", "/api/routes/user/ada")])
def test_the_proxy_takes_no_orders_without_its_own_secret(world: World, method: str, path: str) -> None:
    url = world.workspace.address("proxy_api") + path
    route = {"target": world.workspace.address("hub")}
    for token in ("", world.rosa.token, world.rosa.server_token):
        headers = {"Authorization": f"token {token}"} if token else {}
        assert httpx.request(method, url, headers=headers, json=route, trust_env=False).status_code == 403
    secret = (world.workspace.state / "secrets" / "proxy-token").read_text()
    headers = {"Authorization": f"token {secret}"}
    assert httpx.get(
        f"{world.workspace.address('proxy_api')}/api/routes", headers=headers, trust_env=False
    ).is_success
