"""Shares of data folders: given, listed, changed, withdrawn, received."""

from __future__ import annotations

from datetime import date, timedelta

import httpx
import pytest

from imagine_lib.errors import StorageError, UsageError
from imagine_lib.storage import Credential, NextcloudFileSystem, shares

SOON = date.today() + timedelta(days=20)


def test_with_a_user_and_with_a_group(fs, place, server):
    fs.pipe_file("data/f", b"x")
    fs.pipe_file("data/below/g", b"x")
    crew = f"crew-{place.account.uid}"
    other = server.account(groups=[crew])
    given = shares.create("nextcloud:/data", user=other.uid, filesystem=fs)
    assert (given.kind, given.receiver, given.path, given.rights & 14) == ("user", other.uid, "nextcloud:/data", 0)
    assert shares.create("nextcloud:/data", user=other.uid, filesystem=fs).id == given.id
    group = shares.create("nextcloud:/data", group=crew, rights="write", filesystem=fs)
    assert group.rights & 15 == 15
    assert {one.id for one in shares.given("nextcloud:/data", fs)} == {given.id, group.id}
    theirs = NextcloudFileSystem(Credential(url=server.url, user=other.uid, password=other.password))
    assert [(one.owner, one.path) for one in shares.received(theirs)][:1] == [(place.account.uid, "nextcloud:/data")]
    assert theirs.cat_file("data/f") == b"x"
    nested = shares.create("nextcloud:/data/below", user=other.uid, filesystem=fs)
    assert nested.path == "nextcloud:/data/below"
    assert "nextcloud:/below" in [one.path for one in shares.received(theirs)]
    shares.withdraw(nested.id, fs)
    assert shares.change(given.id, rights="write", filesystem=fs).rights & 15 == 15
    shares.withdraw(given.id, fs)
    shares.withdraw(group.id, fs)
    assert shares.given("nextcloud:/data", fs) == []
    assert not theirs.exists("data")


def test_by_a_link_with_a_password_and_an_end(fs, place):
    fs.pipe_file("data/f", b"x")
    link = shares.create(
        "nextcloud:/data", link=True, password="a long one 4 you", expires=SOON, label="L", filesystem=fs
    )
    assert (link.kind, link.expires, link.label, link.has_password) == ("link", SOON, "L", True)
    token = link.url.rpartition("/")[2]
    address = f"{place.account.server.url}/public.php/dav/files/{token}/f"
    assert httpx.get(address, trust_env=False).status_code == 401
    assert httpx.get(address, auth=("anonymous", "a long one 4 you"), trust_env=False).content == b"x"
    later = shares.change(link.id, expires=SOON + timedelta(days=1), filesystem=fs)
    assert later.expires == SOON + timedelta(days=1)
    shares.withdraw(link.id, fs)
    assert httpx.get(address, trust_env=False).status_code in place.account.server.expected(404, 503)


def test_refusals_say_why(fs):
    fs.mkdir("data")
    with pytest.raises(UsageError, match="one user, one group, or a link"):
        shares.create("nextcloud:/data", filesystem=fs)
    for wish in ({"user": "nobody-of-this-name"}, {"link": True, "expires": date(2001, 1, 1)}):
        with pytest.raises(StorageError, match=r"^nextcloud:/data cannot be shared so: "):
            shares.create("nextcloud:/data", filesystem=fs, **wish)
    with pytest.raises(StorageError, match="cannot be shared so"):
        shares.create("nextcloud:/missing", link=True, filesystem=fs)
    with pytest.raises(StorageError, match=r"^share 999999 cannot be withdrawn: "):
        shares.withdraw("999999", fs)
    with pytest.raises(StorageError, match=r"^share 999999 cannot be changed so: "):
        shares.change("999999", rights="read", filesystem=fs)
    with pytest.raises(StorageError, match=r"^nextcloud:/missing is not listed with its shares: "):
        shares.given("nextcloud:/missing", fs)


@pytest.mark.parametrize("number", ["abc", "", "-1", "1/2"])
def test_what_is_no_number_of_a_share(fs, number):
    for work in (shares.withdraw, shares.change):
        with pytest.raises(
            UsageError, match="is no share's number: take the one that the list of shares shows first"
        ):
            work(number, filesystem=fs)
