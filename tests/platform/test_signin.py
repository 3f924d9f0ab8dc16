"""The hub's tokens, asked for at a real hub: whom they let in, what is learnt of them, and how soon they are dead."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from hub_config.platform.api import signin
from hub_config.platform.api.people import HubPeople
from hub_config.platform.api.signin import SCOPE, HubTokens
from hub_config.platform.errors import NotAllowed, NotSignedIn, Unavailable
from tests.platform.conftest import Neighbours, free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TESTER = "a-token-of-the-tests"

UNKNOWN = "The workspace knows no user {} yet: check the name; they can load it once they have signed in."

CONFIG = """
from jupyterhub.proxy import Proxy

class NoProxy(Proxy):
    '''The tests speak to the hub itself.'''
    should_start = False
    async def add_route(self, routespec, target, data): pass
    async def delete_route(self, routespec): pass
    async def get_all_routes(self): return {{}}

c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.bind_url = "http://127.0.0.1:{proxy}"
c.JupyterHub.hub_port = {port}
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{"ada"}}
c.JupyterHub.load_groups = {{"imagine-users": {{"users": ["rosa", "ada"]}}, "plankton": {{"users": ["rosa"]}}}}
c.JupyterHub.spawner_class = "simple"
c.Spawner.cmd = ["{python}", "{folder}/server.py"]
c.Spawner.server_token_scopes = ["users:activity!user", "access:servers!server", "{scope}"]
c.JupyterHub.services = [
    {{"name": "imagine", "url": "http://127.0.0.1:1", "api_token": "the-token-of-the-service"}},
    {{"name": "tester", "api_token": "{tester}"}},
]
c.JupyterHub.load_roles = [
    {{"name": "user", "scopes": ["self", "{scope}"]}},
    {{"name": "tester", "services": ["tester"], "scopes": ["admin:users", "tokens", "admin:servers", "{scope}"]}},
    {{"name": "platform", "services": ["imagine"], "scopes": ["read:users:name", "read:users:groups"]}},
]
"""

SERVER = """
import http.server, os, pathlib, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
url = urllib.parse.urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
pathlib.Path(__file__).with_name("server-token").write_text(os.environ["JUPYTERHUB_API_TOKEN"])
http.server.HTTPServer((url.hostname, url.port), Handler).serve_forever()
"""


@dataclass
class Hub:
    """A real hub."""

    api: str
    folder: Path
    process: Any = None

    def ask(self, method: str, path: str, token: str = TESTER, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"token {token}"}
        return httpx.request(method, self.api + path, headers=headers, timeout=30, trust_env=False, **options)

    def new_token(self, name: str, *scopes: str) -> tuple[str, str]:
        """Return a new token of a user, and its id."""
        answer = self.ask("POST", f"/users/{name}/tokens", json={"scopes": scopes} if scopes else {})
        assert answer.status_code == 201, answer.text
        return answer.json()["token"], answer.json()["id"]


@pytest.fixture
def hub(tmp_path: Path, start: Any) -> Iterator[Hub]:
    port = free_port()
    names = {"port": port, "proxy": free_port(), "folder": tmp_path, "python": sys.executable}
    (tmp_path / "hub.py").write_text(CONFIG.format(**names, scope=SCOPE, tester=TESTER))
    (tmp_path / "server.py").write_text(SERVER)
    hub = Hub(f"http://127.0.0.1:{port}/hub/api", tmp_path)
    hub.process = start("jupyterhub", "hub", arguments=["-f", str(tmp_path / "hub.py")])
    until(lambda: _answers(hub) or hub.process.poll() is not None, 60)
    assert hub.process.poll() is None, (tmp_path / "hub.log").read_text()
    hub.ask("POST", "/users", json={"usernames": ["rosa", "ada", "eve"]})
    yield hub
    hub.process.send_signal(signal.SIGTERM)
    hub.process.wait(30)


def _answers(hub: Hub) -> bool:
    try:
        return hub.ask("GET", "/health").status_code == 200
    except httpx.TransportError:
        return False


async def test_a_real_hub(hub: Hub, neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = HubTokens(hub.api, "the-token-of-the-service")
    rosa = await tokens.caller(f"token {hub.new_token('rosa', SCOPE)[0]}")
    assert (rosa.name, rosa.admin, rosa.groups) == ("rosa", False, frozenset({"imagine-users", "plankton"}))
    ada = await tokens.caller(f"Bearer {hub.new_token('ada', SCOPE)[0]}")
    assert (ada.name, ada.admin, ada.groups) == ("ada", True, frozenset({"imagine-users"}))
    assert (
        await tokens.caller(f"bearer {hub.new_token('eve')[0]}")
    ).groups == set()  # a token with all of the user's rights

    with pytest.raises(NotAllowed, match=r"make one with the scope access:services!service=imagine\.$"):
        await tokens.caller(f"token {hub.new_token('rosa', 'read:users!user')[0]}")
    for service in (TESTER, "the-token-of-the-service"):
        with pytest.raises(NotAllowed, match="belongs to a service"):
            await tokens.caller(f"token {service}")
    with pytest.raises(NotSignedIn, match="does not know this token"):
        await tokens.caller("token nobody-gave-it")

    # what a user's own server is given lets its notebooks in
    assert hub.ask("POST", "/users/rosa/server").status_code in (201, 202)
    server_token = until(lambda: (hub.folder / "server-token").exists() and (hub.folder / "server-token").read_text())
    until(lambda: hub.ask("GET", "/users/rosa").json()["server"])
    assert (await tokens.caller(f"token {server_token}")).name == "rosa"
    hub.ask("DELETE", "/users/rosa/server")

    # the hub of the other tests answers in the real one's shape
    token, token_id = hub.new_token("rosa", SCOPE)
    real = hub.ask("GET", "/user", token).json()
    fake = neighbours.users[neighbours.user("rosa")]
    assert set(fake) <= set(real), json.dumps(real)
    assert {key: type(value) for key, value in real.items() if key in fake and key != "token_id"} == {
        key: type(value) for key, value in fake.items() if key != "token_id"
    }

    # it knows its users by name, and a name leads nowhere else
    people = HubPeople(hub.api, "the-token-of-the-service")
    strangers = ["nobody", "Rosa", "..", "rosa/..", "rosa?x", "%72osa"]
    told = people.warnings(["everyone", "group:plankton", "user:rosa", *(f"user:{name}" for name in strangers)])
    assert told == [UNKNOWN.format(name) for name in strangers]
    assert HubPeople(hub.api, "a-token-without-the-scope").warnings(["user:nobody"]) == []

    # a revoked token is dead once the cache is
    monkeypatch.setattr(tokens._hub.cache, "max_age", 1)
    assert (await tokens.caller(f"token {token}")).name == "rosa"
    assert hub.ask("DELETE", f"/users/rosa/tokens/{token_id}").status_code == 204
    assert (await tokens.caller(f"token {token}")).name == "rosa"
    tokens._hub.cache.clear()
    with pytest.raises(NotSignedIn):
        await tokens.caller(f"token {token}")

    hub.process.send_signal(signal.SIGKILL)
    hub.process.wait()
    with pytest.raises(
        Unavailable, match=r"^The hub does not answer, so nobody is recognised: try again in a minute\.$"
    ):
        await tokens.caller("token another")
    assert people.warnings(["user:nobody"]) == []
    await tokens.close()


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/platform.sqlite"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "token",
        "Basic cm9zYTpyb3Nh",
        "Bearer a b",
        "token \x7f",
        "token é",
        "x" * 5000,
        "token " + "x" * 5000,
    ],
)
def test_headers_that_hold_no_token_never_reach_the_hub(platform: Any, neighbours: Neighbours, header: str) -> None:
    client = platform.client()
    answer = client.get("/me", headers={b"Authorization": header.encode()} if header is not None else {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert neighbours.asked == []


def test_me(platform: Any) -> None:
    assert platform.user("rosa").get("/me").json() == {
        "name": "rosa",
        "admin": False,
        "groups": ["imagine-users", "plankton"],
    }
    assert platform.user("ada").get("/me").json()["admin"] is True


def test_tokens_of_other_kinds_are_told_why(platform: Any) -> None:
    assert platform.client("token unknown").get("/me").status_code == 401
    assert platform.user("rosa", scopes=["access:services"]).get("/me").status_code == 200
    for scopes in ([], ["self"], ["access:services!service=other"]):
        assert platform.user("rosa", scopes=scopes).get("/me").status_code == 403
    assert platform.user("tester", kind="service").get("/me").status_code == 403


def test_the_hub_is_asked_once_in_a_while(platform: Any, neighbours: Neighbours) -> None:
    rosa = platform.user("rosa")
    for _ in range(5):
        rosa.get("/me")
    assert neighbours.asked == ["/hub/api/user"]
    assert signin.CACHE_SECONDS <= 30


def test_a_hub_that_is_down_is_said(platform: Any, neighbours: Neighbours) -> None:
    neighbours.well = False
    answer = platform.user("rosa").get("/me")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert answer.json()["detail"] == "The hub does not answer, so nobody is recognised: try again in a minute."
    neighbours.well = True
    assert platform.user("rosa").get("/me").status_code == 200
