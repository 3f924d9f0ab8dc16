"""The page Storage: a Nextcloud is linked by consent, kept so that nobody reads its key, and given back."""

from __future__ import annotations

import html
import json
import socket
import sqlite3
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from hub_config.link.handlers import STRANGER
from tests.signin.conftest import Visitor, running, until
from tests.signin.nextcloud import Nextcloud

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.signin.conftest import Hub

PAGE = "/hub/imagine/storage"
WAITING = "asks whether this workspace may use your files"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Nextcloud]:
    made = Nextcloud()
    yield made
    made.close()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, cloud: Nextcloud) -> Iterator[Hub]:
    storage = {"url": cloud.url, "by_sign_in": False, "others": ["*.example.org"]}
    with running(tmp_path_factory.mktemp("hub"), storage=storage, patience=2.0, reconcile_interval=60.0) as hub:
        yield hub


@pytest.fixture(scope="module")
def browser(hub: Hub) -> Visitor:
    return Visitor(hub, "rosa")


@pytest.fixture
def rosa(browser: Visitor, cloud: Nextcloud) -> Visitor:
    """Signed in, with nothing linked, at a Nextcloud that keeps its word."""
    cloud.says.clear()
    cloud.granted, cloud.id = False, cloud.login
    rosa = browser
    if rosa.get(PAGE).url.path != PAGE:
        rosa.sign_in()
    rosa.headers["X-XSRFToken"] = rosa.cookies.get("_xsrf", path="/hub/") or ""
    post(rosa, "unlink")
    cloud.passwords.clear()
    cloud.asked.clear()
    return rosa


def post(visitor: Visitor, do: str, **fields: str) -> httpx.Response:
    return visitor.post(PAGE, data={"do": do, **fields})


def said(page: httpx.Response) -> str:
    return html.unescape(page.text)


def link(visitor: Visitor, cloud: Nextcloud) -> str:
    """Link by consent, and return the password that the hub keeps."""
    before = set(cloud.passwords)
    assert WAITING in post(visitor, "link").text
    assert WAITING in visitor.get(PAGE).text
    cloud.granted = True
    assert "The link works." in visitor.get(PAGE).text
    (password,) = cloud.passwords - before
    return password


def test_a_link_is_made_by_consent_and_shows_the_accounts_id(rosa: Visitor, cloud: Nextcloud) -> None:
    page = post(rosa, "link")
    assert f'href="{cloud.url}/login/v2/flow/' in page.text
    assert 'rel="noopener noreferrer"' in page.text
    assert '<meta http-equiv="refresh" content="3">' in page.text
    cloud.granted = True
    page = rosa.get(PAGE)
    assert f"<strong>{cloud.url}</strong>, as 7f3a-of-the-directory" in page.text
    assert 'http-equiv="refresh"' not in page.text
    assert rosa.get(PAGE).text.count("The link works.") == 1


def test_a_consent_can_be_left(rosa: Visitor, cloud: Nextcloud) -> None:
    post(rosa, "link")
    page = post(rosa, "stop")
    assert "No storage is linked." in page.text
    cloud.granted = True
    assert "No storage is linked." in rosa.get(PAGE).text
    assert cloud.passwords == set()


def test_each_user_has_a_link_of_their_own(hub: Hub, rosa: Visitor, cloud: Nextcloud) -> None:
    link(rosa, cloud)
    nils = Visitor(hub, "nils")
    nils.sign_in()
    page = nils.get(PAGE)
    assert "No storage is linked." in page.text
    assert "7f3a" not in page.text
    post(nils, "unlink")
    assert "The link works." in rosa.get(PAGE).text


def test_the_key_is_nowhere_to_be_read(hub: Hub, rosa: Visitor, cloud: Nextcloud) -> None:
    rosa.start_server()
    until(lambda: rosa.servers()[""]["ready"], "a server")
    post(rosa, "link")
    under_way = b"".join(path.read_bytes() for path in (hub.folder / "state").glob("hub.sqlite*"))
    assert b"poll-token" not in under_way
    cloud.granted = True
    pages = [
        rosa.get(PAGE).text,
        rosa.get("/hub/home").text,
        rosa.get("/hub/spawn").text,
        rosa.get("/hub/api/user").text,
    ]
    (password,) = cloud.passwords
    token = {"Authorization": f"token {hub.server_token('rosa')}"}
    pages += [rosa.get(f"/hub/api/{path}", headers=token).text for path in ("user", "users/rosa")]
    kept = {path: path.read_bytes() for path in hub.folder.rglob("*") if path.is_file() and path.name != "rosa.key"}
    assert (
        sqlite3.connect(hub.folder / "state" / "hub.sqlite")
        .execute("SELECT length(credential) FROM imagine_storage_links")
        .fetchone()
    )
    for path, content in kept.items():
        assert password.encode() not in content, path
        assert b"poll-token" not in content, path
    assert not [page for page in pages if password in page]
    hub_process = psutil.Process(hub.processes["hub"].pid)
    for process in [hub_process, *hub_process.children(recursive=True)]:
        assert password not in "\n".join([*process.environ().values(), *process.cmdline()])


def test_the_hubs_keys_can_be_changed_under_a_link(hub: Hub, rosa: Visitor, cloud: Nextcloud) -> None:
    password = link(rosa, cloud)
    keys = hub.folder / "state" / "crypt_keys"
    old = keys.read_text()
    for written in ("ab" * 32 + "\n" + old, "ab" * 32 + "\n"):  # a new one first; later without the old one
        keys.write_text(written)
        hub.stop("hub")
        hub.start_hub()
        rosa.sign_in()
        assert "The link works." in rosa.get(PAGE).text
    assert cloud.passwords == {password}
    assert cloud.attempts() == []


def test_a_link_whose_key_is_lost_counts_as_none(hub: Hub, rosa: Visitor, cloud: Nextcloud) -> None:
    link(rosa, cloud)
    (hub.folder / "state" / "crypt_keys").write_text("cd" * 32 + "\n")
    hub.stop("hub")
    hub.start_hub()
    rosa.sign_in()
    page = rosa.get(PAGE)
    assert (page.status_code, "No storage is linked." in page.text) == (200, True)
    link(rosa, cloud)


def test_an_unlinked_key_is_revoked_there(hub: Hub, rosa: Visitor, cloud: Nextcloud) -> None:
    password = link(rosa, cloud)
    page = post(rosa, "unlink")
    assert "No storage is linked." in page.text
    assert [one.password for one in cloud.asked if one.method == "DELETE"] == [password]
    assert cloud.passwords == set()
    assert [line["event"] for line in hub.audit() if line["user"] == "rosa"][-2:] == ["linked", "unlinked"]


def test_an_unlink_while_the_storage_is_away_says_what_is_left_to_do(rosa: Visitor, cloud: Nextcloud) -> None:
    link(rosa, cloud)
    cloud.says["/apppassword"] = lambda request: request.connection.shutdown(socket.SHUT_RDWR)
    page = post(rosa, "unlink")
    assert "The key is forgotten here, but your Nextcloud did not answer: delete it there" in said(page)
    assert "No storage is linked." in rosa.get(PAGE).text


def test_a_dead_key_is_said_and_tried_once_however_often_the_page_is_loaded(rosa: Visitor, cloud: Nextcloud) -> None:
    link(rosa, cloud)
    cloud.passwords.clear()
    for _ in range(12):
        assert "no longer accepts the key of this workspace. Link it again" in rosa.get(PAGE).text
    assert len(cloud.attempts()) == 1
    link(rosa, cloud)
    assert len(cloud.attempts()) == 1


def test_a_server_that_runs_gets_the_new_key_and_loses_it_when_it_is_unlinked(
    hub: Hub, rosa: Visitor, cloud: Nextcloud
) -> None:
    if not rosa.servers():
        rosa.start_server()
        until(lambda: rosa.servers()[""]["ready"], "a server")
    kept = hub.folder / "tokens" / "rosa.key"
    first = link(rosa, cloud)
    assert kept.read_text() == first
    second = link(rosa, cloud)
    assert kept.read_text() == second
    assert cloud.passwords == {second}
    assert "2 files were not sent." in said(post(rosa, "unlink"))
    assert not kept.exists()
    assert cloud.attempts() == []


def test_offboarding_ends_the_key_too(hub: Hub, rosa: Visitor, cloud: Nextcloud) -> None:
    link(rosa, cloud)
    assert hub.operate("offboard", "rosa").returncode == 0
    assert cloud.passwords == set()
    assert hub.operate("readmit", "rosa").returncode == 0
    rosa.sign_in()
    assert "No storage is linked." in rosa.get(PAGE).text


# ------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("https://elsewhere.test", "elsewhere.test is not one of the storages that may be linked here: "),
        ("http://127.0.0.1:1", "127.0.0.1:1 is not one of the storages"),
        ("http://cloud.example.org", "http://cloud.example.org is not secure"),
        ("javascript:alert(1)", "'javascript:alert(1)' is no address of a Nextcloud"),
        ("https://<b>.example.org", "'https://<b>.example.org' is no address of a Nextcloud"),
        (
            "https://nobody-has-this-name.example.org",
            "nobody-has-this-name.example.org is not known: check the address.",
        ),
    ],
)
def test_an_address_that_may_not_be_linked_is_said_in_a_sentence(rosa: Visitor, address: str, sentence: str) -> None:
    page = post(rosa, "link", url=address)
    assert page.status_code == 200
    assert sentence in said(page)
    assert "<b>" not in page.text.replace("<body>", "")
    assert WAITING not in rosa.get(PAGE).text


def test_a_nextcloud_that_would_put_a_script_on_the_page_does_not(rosa: Visitor, cloud: Nextcloud) -> None:
    cloud.says["/login/v2"] = {
        "login": "javascript:alert(1)",
        "poll": {"token": "t", "endpoint": f"{cloud.url}/poll"},
    }
    page = post(rosa, "link")
    assert f"{cloud.url} sends its users elsewhere, which is not allowed." in said(page)
    assert "javascript:alert" not in page.text


def test_a_key_that_cannot_be_used_ends_the_consent_and_says_so(rosa: Visitor, cloud: Nextcloud) -> None:
    post(rosa, "link")
    cloud.granted, cloud.id = True, "rosa\nbearer_token_command = id"
    assert "does not say whose key it gave" in said(rosa.get(PAGE))
    assert "No storage is linked." in rosa.get(PAGE).text
    assert cloud.passwords == set()


OTHERS = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://localhost"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "none"},
]


@pytest.mark.parametrize("headers", OTHERS, ids=str)
@pytest.mark.parametrize("do", ["link", "unlink"])
def test_another_page_changes_nothing_even_with_the_hubs_own_token(
    rosa: Visitor, cloud: Nextcloud, headers: dict[str, str], do: str
) -> None:
    """Cookies know no ports: a page at another one of this host can read the token that forms are sent with."""
    link(rosa, cloud)
    answer = rosa.post(PAGE, data={"do": do}, headers=headers)
    assert answer.status_code == 403
    assert STRANGER in said(answer)
    assert "The link works." in rosa.get(PAGE).text


@pytest.mark.parametrize(
    "request_",
    [
        {"data": {"do": "unlink"}},
        {"data": {"do": "unlink", "_xsrf": "made-up"}},
        {"content": "do=unlink", "headers": {"Content-Type": "text/plain"}},
        {"json": {"do": "unlink"}},
        {"files": {"do": (None, "unlink")}},
        {"params": {"do": "unlink"}},
    ],
    ids=str,
)
def test_without_the_token_of_the_page_nothing_is_changed(
    rosa: Visitor, cloud: Nextcloud, request_: dict[str, Any]
) -> None:
    link(rosa, cloud)
    del rosa.headers["X-XSRFToken"]
    answer = rosa.post(PAGE, **request_)
    assert answer.status_code == 403
    assert len(cloud.passwords) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_no_other_method_links_or_unlinks(rosa: Visitor, cloud: Nextcloud, method: str) -> None:
    link(rosa, cloud)
    cloud.asked.clear()
    rosa.request(method, PAGE, params={"do": "unlink"})
    rosa.request(method, PAGE, params={"do": "link"})
    assert {one.path for one in cloud.asked} <= {"/ocs/v2.php/cloud/user"}
    assert "The link works." in rosa.get(PAGE).text


def test_no_token_of_the_hub_opens_the_page(hub: Hub, rosa: Visitor, cloud: Nextcloud) -> None:
    link(rosa, cloud)
    if not rosa.servers():
        rosa.start_server()
        until(lambda: rosa.servers()[""]["ready"], "a server")
    whole = rosa.post("/hub/api/users/rosa/tokens", json={"expires_in": 60}).json()["token"]
    for token in (hub.server_token("rosa"), whole):
        program = Visitor(hub, "rosa")
        program.headers["Authorization"] = f"token {token}"
        assert "7f3a" not in program.get(PAGE).text
        assert program.post(PAGE, data={"do": "unlink"}).status_code == 403
    assert "The link works." in rosa.get(PAGE).text


def test_what_the_page_does_not_know_is_refused(rosa: Visitor) -> None:
    for form in ({}, {"do": "nothing"}, {"do": ["unlink"] * 3 + ["x"]}):
        assert rosa.post(PAGE, data=form).status_code == 400
    assert json.dumps("Traceback") not in rosa.get(PAGE).text


def test_a_stranger_is_led_to_the_sign_in(hub: Hub, cloud: Nextcloud) -> None:
    cloud.asked.clear()
    stranger = Visitor(hub, "nobody")
    assert stranger.get(PAGE).url.path == "/hub/login"
    assert stranger.post(PAGE, data={"do": "link"}).status_code == 403
    assert cloud.asked == []
