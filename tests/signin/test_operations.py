"""What the people who run the workspace do while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.signin.conftest import Visitor, until

if TYPE_CHECKING:
    from tests.signin.conftest import Hub


def test_offboarding_is_now_and_for_good_until_it_is_taken_back(hub: Hub) -> None:
    nils = Visitor(hub, "nils")
    nils.sign_in()
    assert nils.start_server().status_code in (201, 202)
    until(lambda: nils.servers()[""]["ready"], "a server")
    token = hub.server_token("nils")
    assert hub.operate("offboard", "nils").returncode == 0
    assert hub.borrow(token).status_code == 403
    refused = nils.get("/hub/oauth_login")
    assert (refused.status_code, "have ended your access" in refused.text) == (403, True)
    assert [line["user"] for line in hub.audit() if line["event"] == "offboarded"] == ["nils"]
    assert hub.operate("readmit", "nils").returncode == 0
    assert nils.get("/hub/oauth_login", params={"next": "/hub/home"}).url.path == "/hub/home"
    assert nils.servers() == {}


def test_somebody_who_never_was_here_is_said(hub: Hub) -> None:
    done = hub.operate("offboard", "nobody")
    assert (done.returncode, done.stderr) == (1, "imagine-hub: Nobody called 'nobody' has ever signed in here.\n")


def test_a_banner_stands_on_every_page_and_a_drain_outlives_a_restart(hub: Hub) -> None:
    rosa = Visitor(hub, "rosa")
    rosa.sign_in()
    assert hub.operate("banner", "The cluster rests on <Friday>.").returncode == 0
    assert hub.operate("drain", "No new servers until Friday noon.").returncode == 0
    hub.stop("hub")
    hub.start_hub()
    assert "The cluster rests on &lt;Friday&gt;." in rosa.get("/hub/home").text
    assert "The cluster rests on" in Visitor(hub, "otto").get("/hub/login").text
    assert hub.operate("banner", "").stdout == "Done. Banner: none. New servers: No new servers until Friday noon..\n"
    hub.operate("drain", "")
    assert "Friday" not in rosa.get("/hub/home").text


def test_a_hub_that_is_down_is_said(hub: Hub) -> None:
    hub.stop("hub")
    done = hub.operate("banner", "hello")
    hub.start_hub()
    assert done.returncode == 1
    assert "does not answer" in done.stderr


def test_orders_need_the_operators_token(hub: Hub) -> None:
    rosa = Visitor(hub, "rosa")
    rosa.sign_in()
    assert rosa.post("/hub/imagine/operate", json={"banner": "mine"}).status_code == 403
    assert "mine" not in rosa.get("/hub/home").text


def test_a_new_key_goes_first_and_what_the_old_one_closed_is_still_read(hub: Hub) -> None:
    rosa = Visitor(hub, "rosa")
    rosa.sign_in()
    if not rosa.servers():
        rosa.start_server()
        until(lambda: rosa.servers()[""]["ready"], "a server")
    keys = hub.folder / "state" / "crypt_keys"
    keys.write_text("ab" * 32 + "\n" + keys.read_text())
    hub.stop("hub")
    hub.start_hub()
    assert rosa.get("/hub/home").url.path == "/hub/home"
    assert hub.log().count("InvalidToken") == 0
