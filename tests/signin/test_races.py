"""A look at a sign-in that was replaced or removed meanwhile changes nothing, whatever it finds."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.signin.conftest import Visitor, running, until

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from tests.signin.conftest import Hub

TOKEN_SECONDS = 2.5
"""After this an access token of these tests is renewed: it lasts two seconds more than the hub keeps in spare."""

END_TOKENS = "rosa.pk; from allauth.idp.oidc.models import Token; Token.objects.filter(user=rosa).delete()"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub that looks again at who opens a page, and hardly by itself."""
    choices: dict[str, Any] = {"token_seconds": 62, "patience": 0.5, "reconcile_interval": 600.0, "timeout": 60.0}
    with running(tmp_path_factory.mktemp("hub"), **choices) as hub:
        yield hub


@pytest.fixture
def rosa(hub: Hub) -> Visitor:
    """Rosa, with a server and a token that is to be renewed."""
    rosa = Visitor(hub, "rosa")
    rosa.sign_in()
    if not rosa.servers():
        assert rosa.start_server().status_code in (201, 202)
        until(lambda: rosa.servers()[""]["ready"], "a server")
    time.sleep(TOKEN_SECONDS)
    return rosa


def begin_look(rosa: Visitor, held: threading.Event) -> None:
    """Open pages until the hub looks again; a page waits for the look no longer than its patience."""
    until(lambda: rosa.get("/hub/home").is_success and held.is_set(), "a look that is held")


def is_home(visitor: Visitor) -> bool:
    return visitor.get("/hub/home").url.path == "/hub/home"


def latest_sign_in(hub: Hub) -> dict[str, Any]:
    """Return the tokens that the IAM gave for a code."""
    return [given for asked, given in hub.passage.grants if asked["grant_type"] == "authorization_code"][-1]


def stored(hub: Hub, name: str) -> bytes | None:
    """Return the sign-in that the hub keeps, encrypted."""
    with sqlite3.connect(hub.folder / "state" / "hub.sqlite") as database:
        found = database.execute("SELECT encrypted_auth_state FROM users WHERE name = ?", [name]).fetchone()
    return None if found is None else found[0]


@pytest.mark.parametrize(
    ("held", "says"), [("refresh", "yes"), ("userinfo", "yes"), ("refresh", "no"), ("refresh", "503")]
)
def test_a_new_sign_in_outlives_the_look_at_the_one_before(hub: Hub, rosa: Visitor, held: str, says: str) -> None:
    with hub.passage.holding(held) as arrived:
        begin_look(rosa, arrived)
        if says == "no":
            hub.change_account(END_TOKENS)
        again = Visitor(hub, "rosa")
        again.sign_in()
        new = latest_sign_in(hub)
        if says.isdigit():
            hub.passage.fault, hub.passage.only = says, held
    hub.passage.fault = hub.passage.only = ""
    time.sleep(TOKEN_SECONDS)
    assert is_home(rosa)
    assert is_home(again)
    assert hub.borrow(hub.server_token("rosa")).status_code == 200
    assert new["refresh_token"] in [asked.get("refresh_token") for asked, _ in hub.passage.grants]


def test_who_waits_for_a_look_gets_what_a_new_sign_in_brought_meanwhile(hub: Hub, rosa: Visitor) -> None:
    with ThreadPoolExecutor(1) as pool, hub.passage.holding("refresh") as arrived:
        waiting = pool.submit(hub.borrow, hub.server_token("rosa"))
        assert arrived.wait(20)
        Visitor(hub, "rosa").sign_in()
        assert waiting.result(20).json()["access_token"] == latest_sign_in(hub)["access_token"]


def test_a_look_does_not_undo_a_sign_out(hub: Hub, rosa: Visitor) -> None:
    copy = Visitor(hub, "rosa")
    copy.cookies.update(rosa.cookies)
    with hub.passage.holding("refresh") as arrived:
        begin_look(rosa, arrived)
        rosa.get("/hub/logout")
    time.sleep(1)  # what the look finds would be stored by now
    assert not is_home(rosa)
    assert not is_home(copy)


@pytest.mark.parametrize("held", ["refresh", "userinfo"])
def test_a_look_brings_back_nothing_of_who_was_put_out(hub: Hub, rosa: Visitor, held: str) -> None:
    assert stored(hub, "rosa")
    with hub.passage.holding(held) as arrived:
        begin_look(rosa, arrived)
        assert hub.operate("offboard", "rosa").returncode == 0
    time.sleep(1)
    kept = stored(hub, "rosa")
    assert hub.operate("readmit", "rosa").returncode == 0
    assert kept is None
    assert not is_home(rosa)


def test_a_no_after_a_renewal_does_not_cost_the_renewed_tokens(hub: Hub, rosa: Visitor) -> None:
    hub.passage.fault, hub.passage.only = "403", "userinfo"
    until(lambda: not is_home(rosa), "the way to the sign-in")
    hub.passage.fault = hub.passage.only = ""
    until(lambda: is_home(rosa), "the way back", 5)
