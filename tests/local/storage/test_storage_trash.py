"""What was deleted can be seen, brought back, and removed for good."""

from __future__ import annotations

import signal
import sqlite3
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.local.storage.account import multistatus, propfind
from tests.local.storage.servers import embedded_only

if TYPE_CHECKING:
    import httpx

PROPERTIES = ("nc:trashbin-filename", "nc:trashbin-original-location", "nc:trashbin-deletion-time", "oc:size")


def send(account, method: str, path: str = "", body: bytes | None = None, **headers: str) -> httpx.Response:
    return account.client.request(method, address(account) + quote(path), content=body, headers=headers)


def address(account, folder: str = "trash") -> str:
    return f"{account.server.url}/remote.php/dav/trashbin/{account.uid}/{folder}"


def trash(account) -> dict[str, dict[str, str | None]]:
    answer = send(account, "PROPFIND", body=propfind(*PROPERTIES), Depth="1")
    assert answer.status_code == 207, answer.text
    found = multistatus(answer.content, address(account).removeprefix(account.server.url))
    assert next(iter(found)) == "/"
    return {path: values for path, values in found.items() if path != "/"}


def restore(account, path: str) -> int:
    return send(account, "MOVE", path, Destination=address(account, "restore") + quote(path)).status_code


def test_a_deleted_file_is_in_the_trash_and_comes_back_as_it_was(alice):
    alice.send("MKCOL", "/d")
    file_id = alice.put("/d/ö.txt", b"12345", OC_Checksum="SHA1:1", X_OC_MTime="1700000000").headers["OC-FileId"]
    before = int(time.time())
    assert alice.send("DELETE", "/d/ö.txt").status_code == 204
    ((path, values),) = trash(alice).items()
    moment = int(values["nc:trashbin-deletion-time"])
    assert before <= moment <= time.time()
    assert path == f"/ö.txt.d{moment}"
    assert (values["nc:trashbin-filename"], values["nc:trashbin-original-location"]) == ("ö.txt", "d/ö.txt")
    assert values["oc:size"] == "5"
    assert send(alice, "GET", path).content == b"12345"
    assert restore(alice, path) == 201
    assert trash(alice) == {}
    assert alice.read("/d/ö.txt") == b"12345"
    assert alice.properties("/d/ö.txt", "oc:id", "oc:checksums", "d:getlastmodified") == {
        "oc:id": file_id,
        "oc:checksums": "SHA1:1",
        "d:getlastmodified": "Tue, 14 Nov 2023 22:13:20 GMT",
    }


def test_a_tree_goes_and_comes_back_whole(alice):
    alice.send("MKCOL", "/d")
    alice.put("/d/f", b"1")
    tree = alice.listing("/", "oc:id", depth="infinity")
    alice.send("DELETE", "/d")
    (path,) = trash(alice)
    assert send(alice, "GET", f"{path}f").content == b"1"
    assert restore(alice, path.rstrip("/")) == 201
    assert alice.listing("/", "oc:id", depth="infinity") == tree


def test_a_part_of_a_tree_can_be_removed_for_good(alice):
    alice.send("MKCOL", "/d")
    for name in ("f", "g"):
        alice.put(f"/d/{name}", b"1")
    alice.send("DELETE", "/d")
    (path,) = trash(alice)
    assert send(alice, "DELETE", f"{path}f").status_code == 204
    assert restore(alice, path.rstrip("/")) == 201
    assert list(alice.listing("/d")) == ["/d/", "/d/g"]


def test_what_comes_back_overwrites_nothing(alice):
    alice.send("MKCOL", "/d")
    for number in range(3):
        alice.put("/d/f.txt", b"%d" % number)
        alice.send("DELETE", "/d/f.txt")
        if not alice.server.is_own:
            time.sleep(1.1)  # of one name, a Nextcloud keeps what was deleted last in a second
    alice.put("/d/f.txt", b"new")
    for path in sorted(trash(alice)):
        assert restore(alice, path) == 201
    contents = {path: alice.read(path) for path in alice.listing("/d") if path != "/d/"}
    assert contents == {
        "/d/f.txt": b"new",
        "/d/f (restored).txt": b"0",
        "/d/f (restored 2).txt": b"1",
        "/d/f (restored 3).txt": b"2",
    }


def test_where_the_folder_is_gone_it_comes_back_to_the_root(alice):
    alice.send("MKCOL", "/d")
    alice.put("/d/f")
    alice.send("DELETE", "/d/f")
    alice.send("DELETE", "/d")
    (file,) = (path for path in trash(alice) if path.startswith("/f.d"))
    assert restore(alice, file) == 201
    assert list(alice.listing()) == ["/", "/f"]


def test_removing_for_good(alice):
    for name in ("a", "b", "c"):
        alice.put(f"/{name}")
        alice.send("DELETE", f"/{name}")
    first, *others = trash(alice)
    assert send(alice, "DELETE", first).status_code == 204
    assert list(trash(alice)) == others
    assert restore(alice, first) == 404
    assert send(alice, "DELETE").status_code == 204
    assert trash(alice) == {}
    if alice.server.is_own:
        assert [path for path in (alice.home.parent / "trash").rglob("*") if path.is_file()] == []


LONG = [
    pytest.param(name, marks=embedded_only("a Nextcloud cuts names of more than 237 bytes, for good"))
    for name in ("x" * 250, "é" * 125, "🐟" * 60)
]


@pytest.mark.parametrize("name", [*LONG, "no extension", ".hidden", "a.d12", "50%#?"])
def test_any_name_comes_back(alice, name):
    alice.put(f"/{name}", b"kept")
    assert alice.send("DELETE", f"/{name}").status_code == 204
    (path,) = trash(alice)
    assert restore(alice, path) == 201
    assert alice.read(f"/{name}") == b"kept"


def test_what_a_receiver_deletes_is_in_the_owners_trash(alice, bob):
    alice.send("MKCOL", "/given")
    alice.put("/given/f", b"1")
    alice.share("/given", 0, bob.uid)
    assert bob.send("DELETE", "/given/f").status_code == 204
    assert trash(bob) == {} or not alice.server.is_own  # a Nextcloud puts a copy there
    (path,) = trash(alice)
    assert restore(alice, path) == 201
    assert bob.read("/given/f") == b"1"


def test_a_share_ends_with_a_deletion(alice, bob):
    alice.send("MKCOL", "/given")
    alice.share("/given", 0, bob.uid)
    alice.send("DELETE", "/given")
    assert list(bob.listing()) == ["/"]
    (path,) = trash(alice)
    restore(alice, path.rstrip("/"))
    assert list(bob.listing()) == ["/"] or not alice.server.is_own


def test_others_cannot_see_or_change_it(alice, bob):
    alice.put("/f", b"secret")
    alice.send("DELETE", "/f")
    (path,) = trash(alice)
    for method in ("PROPFIND", "GET", "DELETE", "MOVE"):
        headers = {"Destination": address(bob, "restore") + path}
        assert bob.client.request(method, address(alice) + path, headers=headers).status_code == 403, method
    assert send(alice, "MOVE", path, Destination=bob.url("/f")).status_code == 403
    assert send(alice, "PUT", "/new", b"x").status_code == 403
    assert list(trash(alice)) == [path]


@embedded_only("a Nextcloud moves it there")
def test_it_is_moved_to_the_restore_folder_and_nowhere_else(alice):
    alice.put("/f")
    alice.send("DELETE", "/f")
    (path,) = trash(alice)
    assert send(alice, "MOVE", path, Destination=alice.url("/g")).status_code == 403
    assert list(trash(alice)) == [path]


def test_it_counts_for_no_quota(limited):
    alice = limited(1_024_000)
    alice.put("/f", b"x" * 900_000)
    alice.send("DELETE", "/f")
    assert alice.put("/g", b"x" * 900_000).status_code == 201


@embedded_only("a Nextcloud lets what comes back exceed the quota")
def test_what_comes_back_counts_for_the_quota(limited):
    alice = limited(1_024_000)
    alice.put("/f", b"x" * 900_000)
    alice.send("DELETE", "/f")
    alice.put("/g", b"x" * 900_000)
    (path,) = trash(alice)
    assert restore(alice, path) == 507
    alice.send("DELETE", "/g")
    assert restore(alice, path) == 201


def test_after_thirty_days_it_is_gone(start):
    server = start()
    alice = server.account("alice")
    for name in ("old", "young"):
        alice.put(f"/{name}")
        alice.send("DELETE", f"/{name}")
    server.end(signal.SIGKILL)
    database = sqlite3.connect(server.state / "storage.sqlite")
    database.execute("UPDATE trash SET deleted = deleted - 31 * 86400 WHERE path = 'old'")
    database.commit()
    database.close()
    server.start()
    assert [path[:6] for path in trash(alice)] == ["/young"]
    server.end()
    for path in server.state.glob("storage.sqlite*"):
        path.unlink()
    server.start()
    alice = server.account(uid=alice.uid)
    assert [values["nc:trashbin-filename"] for values in trash(alice).values()] == ["young"]
