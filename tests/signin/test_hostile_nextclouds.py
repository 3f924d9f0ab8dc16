"""A Nextcloud that lies: it gets nothing from the hub but what it was meant to have, and stops nobody."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import TYPE_CHECKING, Any

import pytest

from hub_config.link import asking, nextcloud
from hub_config.link.addresses import Addresses
from hub_config.link.asking import LinkError
from hub_config.link.nextcloud import LINK_NAME, NAME, KeyState, Nextclouds, SpentError
from hub_config.link.rclone import configuration
from hub_config.local.rclone import cache_folder
from imagine_lib.storage.credentials import Credential
from tests.signin.nextcloud import Nextcloud, drip, flood, inflate, respond

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def cloud() -> Iterator[Nextcloud]:
    made = Nextcloud()
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Nextcloud]:
    """Another host, which must never hear of anything."""
    made = Nextcloud()
    yield made
    assert made.asked == []
    made.close()


@pytest.fixture
def nextclouds(cloud: Nextcloud) -> Nextclouds:
    return Nextclouds(Addresses(cloud.url))


def basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def linked(cloud: Nextcloud, nextclouds: Nextclouds) -> Credential:
    flow = asyncio.run(nextclouds.begin(cloud.url))
    assert asyncio.run(nextclouds.finish(flow)) is None
    cloud.granted = True
    credential = asyncio.run(nextclouds.finish(flow))
    assert credential is not None
    return credential


def test_an_honest_one_gives_a_key_once_for_the_accounts_id(cloud: Nextcloud, nextclouds: Nextclouds) -> None:
    credential = linked(cloud, nextclouds)
    assert (credential.url, credential.user) == (cloud.url, "7f3a-of-the-directory")
    assert {one.program for one in cloud.asked if one.path.startswith("/login")} == {LINK_NAME}
    assert asyncio.run(nextclouds.check(credential)) is KeyState.WORKS
    assert asyncio.run(nextclouds.revoke(credential)) is True
    assert cloud.passwords == set()


def test_a_key_by_sign_in_has_another_name_than_one_that_the_user_gave(
    cloud: Nextcloud, nextclouds: Nextclouds
) -> None:
    credential = asyncio.run(nextclouds.get_by_sign_in(cloud.url, "of-the-iam"))
    assert (credential.user, cloud.asked[0].program) == ("7f3a-of-the-directory", NAME)
    assert NAME != LINK_NAME
    with pytest.raises(LinkError, match=r"gave no key for your sign-in \(401\)\.$"):
        asyncio.run(nextclouds.get_by_sign_in(cloud.url, "of-somebody-else"))


def test_a_refused_key_is_tried_once_and_never_again(cloud: Nextcloud, nextclouds: Nextclouds) -> None:
    credential = linked(cloud, nextclouds)
    cloud.passwords.clear()
    for _ in range(12):
        assert asyncio.run(nextclouds.check(credential)) is KeyState.DEAD
    assert asyncio.run(nextclouds.revoke(credential)) is True
    assert cloud.attempts() == [credential.password.get_secret_value()]


@pytest.mark.parametrize("status", [429, 500, 503, 302, 403])
def test_what_is_no_refusal_says_nothing_of_the_key(cloud: Nextcloud, nextclouds: Nextclouds, status: int) -> None:
    credential = linked(cloud, nextclouds)
    cloud.says["/cloud/user"] = lambda request: respond(request, status, {}, Location="/elsewhere")
    assert asyncio.run(nextclouds.check(credential)) is KeyState.UNKNOWN
    cloud.says.clear()
    assert asyncio.run(nextclouds.check(credential)) is KeyState.WORKS


@pytest.mark.parametrize("part", ["login", "endpoint"])
@pytest.mark.parametrize(
    "address",
    [
        "{other}/login/v2/poll", "javascript:alert(document.cookie)", "JavaScript:alert(1)//{host}", "data:text/html,x",
        "https://{host}/login/v2/poll", "http://rosa@{host}/x", "http://{host}@{otherhost}/x", "//{otherhost}/x",
        "http://{host}\\@{otherhost}/x", "/login/v2/poll", "http://[", "http://127.0.0.1:99999/x", 7, None, ["x"], {},
        "http://{host}/a\nb: c", "http://{host}/x\"onclick=alert(1)", "http://{host}/x?y#z",
    ],
    ids=str,
)  # fmt: skip
def test_one_that_sends_elsewhere_is_not_followed(
    cloud: Nextcloud, other: Nextcloud, nextclouds: Nextclouds, part: str, address: Any
) -> None:
    places = {"other": other.url, "host": cloud.url.partition("//")[2], "otherhost": other.url.partition("//")[2]}
    if isinstance(address, str):
        address = address.format(**places)
    login, endpoint = f"{cloud.url}/login/v2/flow/1", f"{cloud.url}/login/v2/poll"
    told = (address, endpoint) if part == "login" else (login, address)
    cloud.says["/login/v2"] = {"login": told[0], "poll": {"token": "t", "endpoint": told[1]}}
    with pytest.raises(
        LinkError, match=r"sends its users elsewhere|does not answer as a Nextcloud does|is no address"
    ):
        asyncio.run(nextclouds.begin(cloud.url))


@pytest.mark.parametrize(
    "document", [None, [], "x", 5, {}, {"poll": 7, "login": "x"}, {"poll": []}, b"<html>", b"[" * 99_999]
)
def test_one_that_is_no_nextcloud_is_said(cloud: Nextcloud, nextclouds: Nextclouds, document: Any) -> None:
    cloud.says["/login/v2"] = document
    with pytest.raises(LinkError, match="does not answer as a Nextcloud does: check the address"):
        asyncio.run(nextclouds.begin(cloud.url))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_takes_neither_token_nor_key_with_it(
    cloud: Nextcloud, other: Nextcloud, nextclouds: Nextclouds, status: int
) -> None:
    credential, flow = linked(cloud, nextclouds), asyncio.run(nextclouds.begin(cloud.url))
    for end in ("/login/v2", "/poll", "/user", "/apppassword", "/getapppassword"):
        cloud.says[end] = lambda request: respond(request, status, {}, Location=f"{other.url}{request.path}")
    with pytest.raises(LinkError):
        asyncio.run(nextclouds.begin(cloud.url))
    with pytest.raises(LinkError):
        asyncio.run(nextclouds.finish(flow))
    with pytest.raises(LinkError):
        asyncio.run(nextclouds.get_by_sign_in(cloud.url, "of-the-iam"))
    assert asyncio.run(nextclouds.check(credential)) is KeyState.UNKNOWN
    assert asyncio.run(nextclouds.revoke(credential)) is False


def test_the_key_is_kept_for_the_server_that_was_asked_whatever_it_calls_itself(
    cloud: Nextcloud, other: Nextcloud, nextclouds: Nextclouds
) -> None:
    flow, password = asyncio.run(nextclouds.begin(cloud.url)), cloud.new_password()
    cloud.says["/poll"] = {"server": other.url, "loginName": cloud.login, "appPassword": password}
    credential = asyncio.run(nextclouds.finish(flow))
    assert credential is not None
    assert credential.url == cloud.url
    assert asyncio.run(nextclouds.check(credential)) is KeyState.WORKS


ODD_IDS = [
    "", 7, None, ["rosa"], {"id": "rosa"}, "rosa\nbearer_token_command = touch /tmp/x", "rosa\r\npass = x", "a/b", "..", ".",
    "rosa\0", "rosa\x1b[2J", "r" * 300, "rosa\u2028x",
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_IDS, ids=repr)
def test_an_id_that_is_no_plain_name_is_not_taken_and_its_key_is_given_back(
    cloud: Nextcloud, nextclouds: Nextclouds, odd: Any
) -> None:
    flow = asyncio.run(nextclouds.begin(cloud.url))
    cloud.granted, cloud.id = True, odd
    with pytest.raises(SpentError, match="does not say whose key it gave"):
        asyncio.run(nextclouds.finish(flow))
    assert cloud.passwords == set()
    with pytest.raises(LinkError, match="does not say whose key it gave"):
        asyncio.run(nextclouds.get_by_sign_in(cloud.url, "of-the-iam"))


def test_no_name_adds_a_line_to_the_configuration_of_a_mount() -> None:
    for url, user in [
        ("https://c.example.org", "rosa\nbearer_token_command = id"),
        ("https://c.example.org/\nx", "rosa"),
    ]:
        with pytest.raises(ValueError, match="characters that no address or name has"):
            configuration(Credential(url=url, user=user, password="secret"))
    with pytest.raises(ValueError, match="characters that no address or name has"):
        configuration(Credential(url="https://c.example.org", user="rosa", login="rosa\npass = x", password="secret"))
    lines = configuration(Credential(url="https://c.example.org/", user="../a b?#%", password="secret")).splitlines()
    assert "url = https://c.example.org/remote.php/dav/files/..%2Fa%20b%3F%23%25" in lines
    assert "secret" not in "\n".join(lines)


def test_what_was_not_sent_to_one_account_is_never_sent_to_another(tmp_path: Path) -> None:
    def cache(url: str, user: str, password: str = "secret") -> Path:
        return cache_folder(tmp_path, Credential(url=url, user=user, password=password))

    first = cache("https://c.example.org", "rosa")
    assert cache("https://c.example.org/", "rosa", "another") == first
    others = [
        ("https://c.example.org", "nils"),
        ("https://d.example.org", "rosa"),
        ("https://c.example.org/n", "rosa"),
    ]
    assert len({first, *(cache(url, user) for url, user in others)}) == 4


def test_who_signs_in_by_another_name_than_their_id_is_known_by_both(
    cloud: Nextcloud, nextclouds: Nextclouds
) -> None:
    cloud.login = "rosa@example.org"
    credential = linked(cloud, nextclouds)
    assert (credential.user, credential.login) == ("7f3a-of-the-directory", "rosa@example.org")
    assert asyncio.run(nextclouds.check(credential)) is KeyState.WORKS
    assert "user = rosa@example.org" in configuration(credential).splitlines()
    assert credential.authorization() == basic("rosa@example.org", credential.password.get_secret_value())
    assert asyncio.run(nextclouds.revoke(credential)) is True
    assert cloud.passwords == set()


@pytest.mark.parametrize("odd", ["rosa\npass = x", "rosa:secret", "r" * 300, "\x1b[2J"], ids=repr)
def test_a_name_to_log_in_by_that_is_no_plain_one_is_not_taken(
    cloud: Nextcloud, nextclouds: Nextclouds, odd: str
) -> None:
    flow, password = asyncio.run(nextclouds.begin(cloud.url)), cloud.new_password()
    cloud.says["/poll"] = {"server": cloud.url, "loginName": odd, "appPassword": password}
    cloud.says["/user"] = {"ocs": {"data": {"id": "rosa"}}}
    with pytest.raises(SpentError, match="does not say whose key it gave"):
        asyncio.run(nextclouds.finish(flow))


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [(drip, r"does not answer\.$"), (flood, "as a Nextcloud does"), (inflate, "as a Nextcloud does")],
    ids=["a byte at a time", "without end", "packed"],
)
def test_an_answer_without_end_is_given_up(
    cloud: Nextcloud, nextclouds: Nextclouds, monkeypatch: pytest.MonkeyPatch, answer: Any, sentence: str
) -> None:
    credential, flow = linked(cloud, nextclouds), asyncio.run(nextclouds.begin(cloud.url))
    monkeypatch.setattr(asking, "SECONDS", 1.5)
    for end in ("/login/v2", "/poll", "/user", "/apppassword"):
        cloud.says[end] = answer
    begin = time.monotonic()
    with pytest.raises(LinkError, match=sentence):
        asyncio.run(nextclouds.begin(cloud.url))
    with pytest.raises(LinkError):
        asyncio.run(nextclouds.finish(flow))
    assert asyncio.run(nextclouds.check(credential)) is KeyState.UNKNOWN
    assert asyncio.run(nextclouds.revoke(credential)) is False
    assert time.monotonic() - begin < 4 * 1.5 + 3


def test_one_that_is_away_is_said(cloud: Nextcloud, nextclouds: Nextclouds) -> None:
    cloud.close()
    with pytest.raises(LinkError, match=rf"^Your storage at {cloud.url} does not answer\.$"):
        asyncio.run(nextclouds.begin(cloud.url))


def test_no_key_is_in_a_text_that_could_be_logged(cloud: Nextcloud, nextclouds: Nextclouds) -> None:
    credential, flow = linked(cloud, nextclouds), asyncio.run(nextclouds.begin(cloud.url))
    shown = f"{credential!r} {flow!r} {nextcloud._refused!r}"
    assert credential.password.get_secret_value() not in shown
    assert flow.token not in shown
