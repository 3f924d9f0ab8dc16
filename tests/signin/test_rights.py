"""Whoever has rights is never thrown out by a slow IAM; whoever lost them is out within the interval."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from imagine_lib.errors import PlatformError
from imagine_lib.identity import iam_token
from tests.signin.conftest import Visitor, running, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.signin.conftest import Hub

TOKEN_SECONDS = 3
"""After this an access token of these tests is renewed: it lasts two seconds more than the hub keeps in spare."""


def signed_in(hub: Hub, name: str, server: bool = False) -> Visitor:
    visitor = Visitor(hub, name)
    page = visitor.sign_in()
    assert (page.status_code, page.url.path.split("/")[1]) == (200, "hub"), page.text
    if server and not visitor.servers():
        assert visitor.start_server().status_code in (201, 202)
        until(lambda: visitor.servers()[""]["ready"], "a server")
    return visitor


def test_two_hundred_pages_at_the_moment_of_expiry_make_one_refresh_and_no_login(hub: Hub) -> None:
    rosa = signed_in(hub, "rosa")
    time.sleep(TOKEN_SECONDS)
    before = hub.refreshes()
    with ThreadPoolExecutor(50) as pool:
        pages = list(pool.map(lambda _: rosa.get("/hub/home"), range(200)))
    assert {(page.status_code, page.url.path) for page in pages} == {(200, "/hub/home")}
    took = sum(page.elapsed.total_seconds() for page in pages) / 50
    assert 1 <= hub.refreshes() - before <= 1 + took / (TOKEN_SECONDS - 1)


@pytest.mark.parametrize("fault", ["503", "cut", "slow"])
def test_a_failing_iam_throws_nobody_out_and_no_token_is_lost(hub: Hub, fault: str) -> None:
    rosa = signed_in(hub, "rosa", server=True)
    token = hub.server_token("rosa")
    time.sleep(TOKEN_SECONDS)
    hub.passage.fault = fault
    begin = time.monotonic()
    page = rosa.get("/hub/home")
    assert (page.status_code, page.url.path) == (200, "/hub/home")
    assert time.monotonic() - begin < 15
    hub.passage.fault = ""
    until(lambda: hub.borrow(token).status_code == 200, "a live token", 60)
    assert rosa.servers()[""]["ready"]


def test_the_broker_lends_live_access_tokens_and_nothing_else(hub: Hub) -> None:
    signed_in(hub, "rosa", server=True)
    token = hub.server_token("rosa")
    first = hub.borrow(token).json()
    assert first.keys() == {"access_token", "expires_at"}
    time.sleep(TOKEN_SECONDS)
    before = hub.refreshes()
    with ThreadPoolExecutor(20) as pool:
        answers = [answer.json() for answer in pool.map(lambda _: hub.borrow(token), range(20))]
    refreshes = hub.refreshes() - before
    assert refreshes <= 1
    assert all(answer["expires_at"] > time.time() + 50 for answer in answers)
    assert len({answer["access_token"] for answer in answers}) <= 1 + refreshes
    assert answers[0]["access_token"] != first["access_token"]


def test_a_notebook_gets_a_token_that_renews_itself(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in(hub, "rosa", server=True)
    monkeypatch.setenv("JUPYTERHUB_API_URL", f"{hub.url}/hub/api")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", hub.server_token("rosa"))
    first = iam_token()
    time.sleep(TOKEN_SECONDS)
    second = iam_token()
    who = {"Authorization": f"Bearer {second}"}
    assert httpx.get(f"{hub.passage.url}/oauth/userinfo", headers=who).json()["preferred_username"] == "rosa"
    assert first != second
    with pytest.raises(PlatformError, match="The IAM gives no token for 'elsewhere'"):
        iam_token(audience="elsewhere")


def test_the_broker_lends_nothing_to_a_browser_or_to_a_token_without_the_scope(hub: Hub) -> None:
    rosa = signed_in(hub, "rosa")
    assert rosa.get("/hub/imagine/token").status_code == 403
    assert hub.borrow("no-such-token").status_code == 403
    made = rosa.post("/hub/api/users/rosa/tokens", json={"scopes": ["read:users:name!user"], "expires_in": 60})
    assert hub.borrow(made.json()["token"]).status_code == 403


def test_an_iam_that_exchanges_no_tokens_is_said(hub: Hub) -> None:
    signed_in(hub, "rosa", server=True)
    answer = hub.borrow(hub.server_token("rosa"), audience="https://storage.example.org")
    assert answer.status_code == 400
    assert "The IAM gives no token for 'https://storage.example.org'" in answer.json()["message"]


GRANTED = {
    "users:activity!user=rosa", "read:users:activity!user=rosa", "access:servers!server=rosa/",
    "access:services!service=imagine", "read:users:name!user=rosa", "read:users:groups!user=rosa", "custom:imagine:token",
}  # fmt: skip
DENIED: dict[str, tuple[str, str, Any]] = {
    "list users": ("GET", "api/users", None),
    "see another": ("GET", "api/users/nils", None),
    "create a user": ("POST", "api/users/eve", None),
    "become an administrator": ("PATCH", "api/users/rosa", {"admin": True}),
    "end the account": ("DELETE", "api/users/rosa", None),
    "report another's activity": ("POST", "api/users/nils/activity", {"last_activity": "2026-01-01T00:00:00Z"}),
    "list the tokens": ("GET", "api/users/rosa/tokens", None),
    "make a token": ("POST", "api/users/rosa/tokens", {"expires_in": 60}),
    "start a server": ("POST", "api/users/rosa/servers/second", {}),
    "stop the server": ("DELETE", "api/users/rosa/server", None),
    "list groups": ("GET", "api/groups", None),
    "join a group": ("POST", "api/groups/imagine-admins/users", {"users": ["rosa"]}),
    "list services": ("GET", "api/services", None),
    "see the routes": ("GET", "api/proxy", None),
    "see the hub's inside": ("GET", "api/info", None),
    "stop the hub": ("POST", "api/shutdown", {}),
    "list what is shared": ("GET", "api/shares/rosa", None),
    "share the server": ("POST", "api/shares/rosa/", {"user": "nils"}),
    "share the server by code": ("POST", "api/share-codes/rosa/", {}),
    "see what others shared": ("GET", "api/users/rosa/shared", None),
    "give the hub orders": ("POST", "imagine/operate", {"banner": "mine"}),
}


def test_a_server_is_granted_what_it_needs_and_no_shares(hub: Hub) -> None:
    rosa = signed_in(hub, "rosa", server=True)
    headers = {"Authorization": f"token {hub.server_token('rosa')}"}
    told = httpx.get(f"{hub.url}/hub/api/user", headers=headers, trust_env=False).json()
    assert set(told["scopes"]) == GRANTED
    assert "auth_state" not in told
    for deed, (method, path, body) in DENIED.items():
        answer = httpx.request(method, f"{hub.url}/hub/{path}", headers=headers, json=body, trust_env=False)
        assert answer.status_code in (403, 404), (deed, answer.text)
    assert rosa.servers()[""]["ready"]
    assert rosa.get("/hub/api/users/rosa/tokens").status_code == 200  # she herself may
    assert "mine" not in rosa.get("/hub/home").text


def test_the_platforms_token_reads_names_and_groups_and_nothing_else(hub: Hub) -> None:
    signed_in(hub, "rosa", server=True)
    headers = {"Authorization": "token the-platform-token-of-these-tests"}
    known = httpx.get(f"{hub.url}/hub/api/users/rosa", headers=headers, trust_env=False).json()
    groups = ["imagine-users"]
    assert known == {"name": "rosa", "groups": groups, "kind": "user", "admin": False, "user_info": None}
    readable = {"list users", "see another"}
    for deed in DENIED.keys() - readable:
        method, path, body = DENIED[deed]
        answer = httpx.request(method, f"{hub.url}/hub/{path}", headers=headers, json=body, trust_env=False)
        assert answer.status_code in (403, 404), (deed, answer.text)


def test_a_copy_of_a_cookie_opens_nothing_after_its_owner_has_signed_out(hub: Hub) -> None:
    rosa = signed_in(hub, "rosa")
    copy = Visitor(hub, "rosa")
    copy.cookies.update(rosa.cookies)
    assert copy.get("/hub/home").url.path == "/hub/home"
    rosa.get("/hub/logout")
    for visitor in (rosa, copy):
        assert visitor.get("/hub/home").url.path == "/hub/login"
        assert visitor.get("/hub/api/user").status_code == 403
    assert httpx.get(f"{hub.passage.url}/", cookies=copy.cookies, trust_env=False).is_redirect


def test_who_leaves_the_group_is_out_within_the_interval(hub: Hub) -> None:
    nils = signed_in(hub, "nils", server=True)
    token = hub.server_token("nils")
    hub.change_account("nils.groups.clear()")
    until(lambda: hub.borrow(token).status_code == 403, "the server's token is worthless", 20)
    until(lambda: [line for line in hub.audit() if (line["event"], line["user"]) == ("put out", "nils")], "audit")
    page = nils.get("/hub/home")
    assert page.url.path != "/hub/home"
    assert "your account is in none of the groups" in nils.get("/hub/oauth_login").text
    assert nils.get("/hub/api/users/nils").status_code == 403


def test_tokens_that_have_ended_are_no_loss_of_rights(hub: Hub) -> None:
    rosa = signed_in(hub, "rosa", server=True)
    hub.change_account("rosa.pk; from allauth.idp.oidc.models import Token; Token.objects.filter(user=rosa).delete()")
    until(lambda: rosa.get("/hub/home").url.path != "/hub/home", "the way to the sign-in")
    refused = hub.borrow(hub.server_token("rosa"))
    assert refused.status_code == 401
    assert "open" in refused.json()["message"]
    rosa.sign_in()
    assert rosa.servers()[""]["ready"]  # the work has gone on
    assert hub.borrow(hub.server_token("rosa")).status_code == 200


def test_a_name_is_one_account_for_ever(hub: Hub) -> None:
    signed_in(hub, "rosa")
    hub.change_account("rosa.pk; import uuid; rosa.sub = uuid.uuid4(); rosa.save()")
    other = Visitor(hub, "rosa")
    page = other.sign_in()
    assert page.status_code == 403
    assert "The name rosa belongs to another account" in page.text


@pytest.mark.parametrize(
    "dress", ["indigo", "indigo-wlcg", "indigo-aarc", "indigo-keycloak", "egi", "ai4eosc", "keycloak"]
)
def test_each_iam_says_the_same_in_its_own_words(tmp_path: Path, dress: str) -> None:
    with running(tmp_path, dress=dress, patience=2.0, reconcile_interval=60.0) as hub:
        nils = Visitor(hub, "nils")
        nils.sign_in()
        groups = nils.get("/hub/api/user").json()["groups"]
        assert sorted(groups) == ["imagine-users", "imagine-users/dev"]
        assert "your account is in none of the groups" in Visitor(hub, "otto").sign_in().text
