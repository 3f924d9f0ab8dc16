"""Sharing: with a user, with a group, by public link."""

from __future__ import annotations

import datetime
import sqlite3
from urllib.parse import urlsplit

import httpx
import pytest

from tests.local.storage.servers import embedded_only

SHARES = "apps/files_sharing/api/v1/shares"
TOMORROW = (datetime.date.today() + datetime.timedelta(1)).isoformat()


@pytest.fixture
def folder(alice):
    alice.send("MKCOL", "/shared")
    alice.put("/shared/f.txt", b"shared", OC_Checksum="SHA1:5")
    return alice


def link(server, share, path: str = "", method: str = "GET", **headers: str) -> tuple[int, bytes]:
    return server.raw(method, f"/public.php/dav/files/{share['token']}{path}", **headers)


def test_a_user_share_shows_at_once(folder, bob):
    share = folder.share("/shared", 0, bob.uid)
    assert share["id"].isdecimal()
    assert (share["share_with"], share["token"], share["expiration"]) == (bob.uid, None, None)
    assert (share["permissions"], share["path"], share["item_type"]) == (31, "/shared", "folder")
    names = ("oc:permissions", "nc:mount-type", "oc:owner-id", "oc:checksums", "oc:id")
    found = bob.listing("/", *names, depth="infinity")
    assert found["/shared/"]["oc:permissions"] == "SRGDNVCK"
    assert found["/shared/"]["nc:mount-type"] == "shared"
    assert found["/shared/f.txt"]["oc:owner-id"] == folder.uid
    assert found["/shared/f.txt"]["oc:checksums"] == "SHA1:5"
    assert found["/shared/f.txt"]["oc:id"] == folder.properties("/shared/f.txt", "oc:id")["oc:id"]
    assert bob.read("/shared/f.txt") == b"shared"
    assert bob.put("/shared/new", b"bob").status_code == 201
    assert folder.read("/shared/new") == b"bob"
    assert b"f.txt" in bob.send("GET", "/shared", Accept="application/zip").content


def test_the_same_share_again_is_the_same(folder, bob):
    first, again = folder.share("/shared", 0, bob.uid), folder.share("/shared", 0, bob.uid)
    assert first["id"] == again["id"]
    links = folder.share("/shared", 3), folder.share("/shared", 3)
    assert links[0]["id"] != links[1]["id"]


READ_ONLY = [
    ("PUT", "/shared/f.txt", 403),
    ("PUT", "/shared/new", 403),
    ("DELETE", "/shared/f.txt", 403),
    ("MKCOL", "/shared/new", 403),
    ("MOVE", "/shared/f.txt", 403),
    ("COPY", "/shared/f.txt", 201),
    ("GET", "/shared/f.txt", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), READ_ONLY)
def test_a_share_for_reading_only(folder, bob, method, path, status):
    folder.share("/shared", 0, bob.uid, permissions=1)
    before = folder.properties("/shared/f.txt", "d:getetag", "d:getlastmodified")
    answer = bob.send(method, path, Destination=bob.url("/out"))
    assert answer.status_code == status
    assert folder.properties("/shared/f.txt", "d:getetag", "d:getlastmodified") == before
    assert list(folder.listing("/shared")) == ["/shared/", "/shared/f.txt"]
    assert bob.listing("/", "oc:permissions")["/shared/"]["oc:permissions"] == "SGDNV"
    assert bob.listing("/shared", "oc:permissions")["/shared/f.txt"]["oc:permissions"] == "SG"


@embedded_only("on a Nextcloud, who may only read a file can change its time")
def test_who_may_only_read_changes_no_time(folder, bob):
    folder.share("/shared", 0, bob.uid, permissions=1)
    before = folder.properties("/shared/f.txt", "d:getlastmodified")
    body = '<d:propertyupdate xmlns:d="DAV:"><d:set><d:prop><d:lastmodified>1700000000</d:lastmodified></d:prop>'
    assert bob.send("PROPPATCH", "/shared/f.txt", body + "</d:set></d:propertyupdate>").status_code == 207
    assert folder.properties("/shared/f.txt", "d:getlastmodified") == before


def test_nothing_can_be_brought_into_a_share_for_reading_only(folder, bob):
    folder.share("/shared", 0, bob.uid, permissions=1)
    bob.put("/mine")
    for method in ("MOVE", "COPY"):
        assert bob.move("/mine", "/shared/mine", method).status_code == 403
        assert bob.move("/mine", "/shared/f.txt", method).status_code == 403
    assert folder.read("/shared/f.txt") == b"shared"


def test_a_shared_file(folder, bob):
    share = folder.share("/shared/f.txt", 0, bob.uid)
    assert (share["permissions"], share["item_type"]) == (19, "file")
    assert bob.read("/f.txt") == b"shared"
    assert bob.put("/f.txt", b"by bob").status_code == 204
    assert folder.read("/shared/f.txt") == b"by bob"
    assert bob.send("PROPFIND", "/shared").status_code == 404


def test_a_taken_name_gets_a_number_that_stays(folder, bob):
    bob.send("MKCOL", "/shared")
    bob.put("/shared/own")
    folder.share("/shared", 0, bob.uid)
    assert list(bob.listing(depth="infinity")) == [
        "/",
        "/shared/",
        "/shared/own",
        "/shared (2)/",
        "/shared (2)/f.txt",
    ]
    bob.send("DELETE", "/shared")
    assert list(bob.listing()) == ["/", "/shared (2)/"]
    assert bob.move("/shared (2)", "/from alice").status_code == 201
    assert bob.read("/from alice/f.txt") == b"shared"
    assert folder.read("/shared/f.txt") == b"shared"
    received = bob.ocs("GET", SHARES, shared_with_me="true")[1]
    assert [share["file_target"] for share in received] == ["/from alice"]


def test_a_share_follows_its_folder_and_ends_with_it(folder, bob):
    folder.share("/shared", 0, bob.uid)
    folder.send("MKCOL", "/deep")
    folder.move("/shared", "/deep/renamed")
    assert bob.read("/shared/f.txt") == b"shared"
    folder.send("DELETE", "/deep")
    assert list(bob.listing()) == ["/"]
    assert folder.ocs("GET", SHARES)[1] == []


def test_leaving_a_user_share_ends_it_for_both(folder, bob):
    folder.share("/shared", 0, bob.uid)
    assert bob.send("DELETE", "/shared").status_code == 204
    assert list(bob.listing()) == ["/"]
    assert folder.ocs("GET", SHARES)[1] == []
    assert folder.read("/shared/f.txt") == b"shared"


def test_a_file_moved_out_of_a_share_belongs_to_who_took_it(folder, bob):
    folder.share("/shared", 0, bob.uid)
    public = folder.share("/shared/f.txt", 3)
    assert bob.move("/shared/f.txt", "/mine.txt").status_code == 201
    assert bob.properties("/mine.txt", "oc:owner-id", "oc:checksums") == {
        "oc:owner-id": bob.uid,
        "oc:checksums": "SHA1:5",
    }
    assert folder.send("GET", "/shared/f.txt").status_code == 404
    assert link(folder.server, public)[0] == 404


def test_group_shares(server, folder):
    group = f"crew-{folder.uid}"
    member = server.account("carla", groups=[group])
    stranger = server.account("dan")
    share = folder.share("/shared", 1, group)
    assert member.read("/shared/f.txt") == b"shared"
    assert stranger.send("GET", "/shared/f.txt").status_code == 404
    assert member.send("DELETE", "/shared").status_code == 204
    assert list(member.listing()) == ["/"]
    second = server.account("erin", groups=[group])
    assert second.read("/shared/f.txt") == b"shared"
    server.account(uid=second.uid, groups=[])
    assert second.send("GET", "/shared/f.txt").status_code == 404
    assert folder.ocs("DELETE", f"{SHARES}/{share['id']}") == (200, [])


def test_a_hidden_group_share_does_not_hide_a_share_with_the_user(server, folder):
    group = f"crew-{folder.uid}"
    member = server.account("carla", groups=[group])
    folder.share("/shared", 1, group)
    assert member.send("DELETE", "/shared").status_code == 204
    folder.share("/shared", 0, member.uid)
    assert member.read("/shared/f.txt") == b"shared"


def test_list_get_change_delete(folder, bob):
    share = folder.share("/shared", 0, bob.uid, note="look")
    other = folder.share("/shared/f.txt", 0, bob.uid)
    assert [known["id"] for known in folder.ocs("GET", SHARES)[1]] == [share["id"], other["id"]]
    assert [known["id"] for known in folder.ocs("GET", SHARES, path="/shared", reshares="true")[1]] == [share["id"]]
    assert [known["id"] for known in bob.ocs("GET", SHARES, shared_with_me="true")[1]] == [share["id"], other["id"]]
    assert bob.ocs("GET", SHARES)[1] == []
    for reader in (folder, bob):
        status, one = reader.ocs("GET", f"{SHARES}/{share['id']}")
        assert (status, len(one), one[0]["note"]) == (200, 1, "look")
    assert bob.ocs("PUT", f"{SHARES}/{share['id']}", permissions=31)[0] == 403
    narrower = folder.ocs("PUT", f"{SHARES}/{share['id']}", permissions=1)[1]
    assert (narrower["permissions"], narrower["note"]) == (1, "look")
    renamed = folder.ocs("PUT", f"{SHARES}/{share['id']}", note="again")[1]
    assert (renamed["permissions"], renamed["note"]) == (1, "again")
    assert bob.put("/shared/new").status_code == 403
    assert folder.ocs("DELETE", f"{SHARES}/{share['id']}") == (200, [])
    assert folder.ocs("GET", f"{SHARES}/{share['id']}")[0] == 404
    assert bob.send("GET", "/shared/f.txt").status_code == 404


ERRORS = [
    ({"shareType": 0, "shareWith": "nobody"}, 404),
    ({"shareType": 1, "shareWith": "no-group"}, 404),
    ({"shareType": 0, "shareWith": "ME"}, 403),
    ({"shareType": 9}, 403),
    ({"shareType": ""}, 404),
    ({"shareType": 3, "path": "/nope"}, 404),
    ({"shareType": 3, "path": ""}, 403),
    ({"shareType": 3, "path": "/"}, 403),
    ({"shareType": 3, "password": "short"}, 400),
    ({"shareType": 3, "expireDate": "2020-01-01"}, 404),
    ({"shareType": 3, "expireDate": "soon"}, 404),
    ({"shareType": 3, "permissions": "64"}, 400),
    ({"shareType": 3, "permissions": "all"}, 400),
]


@pytest.mark.parametrize(("fields", "status"), ERRORS)
def test_errors(folder, fields, status):
    sent = {"path": "/shared"} | {name: folder.uid if value == "ME" else value for name, value in fields.items()}
    assert folder.ocs("POST", SHARES, **sent)[0] == status
    assert folder.ocs("GET", SHARES)[1] == []


def test_the_twenty_first_creation_in_ten_minutes(folder):
    for _ in range(20):
        folder.share("/shared", 3)
    status, _ = folder.ocs("POST", SHARES, path="/shared", shareType=3)
    assert status == 429


def test_a_public_link(server, folder):
    share = folder.share("/shared", 3, label="model", expireDate=TOMORROW)
    assert (share["permissions"], share["expiration"]) == (17, f"{TOMORROW} 23:59:59")
    assert share["url"] == f"{server.url}/s/{share['token']}"
    assert len(share["token"]) == 15
    assert link(server, share, "/f.txt") == (200, b"shared")
    assert link(server, share, "/f.txt", Range="bytes=1-2") == (206, b"ha")
    status, listing = link(server, share, "/", "PROPFIND")
    assert status == 207
    assert f"<d:href>/public.php/dav/files/{share['token']}/f.txt</d:href>".encode() in listing
    assert link(server, share, "/nope")[0] == 404
    for method in ("PUT", "MKCOL", "DELETE"):
        assert link(server, share, "/new" if method != "DELETE" else "/f.txt", method)[0] == 403
    assert link(server, share, "", "DELETE")[0] == 403
    assert link(server, share, "/f.txt", "MOVE", Destination="/remote.php/webdav/x")[0] == 403
    assert link(server, {"token": "nothere"}, "/f.txt")[0] in server.expected(404, 503)
    assert link(server, share, "", "GET", Accept="application/zip")[1][:2] == b"PK"
    folder.ocs("DELETE", f"{SHARES}/{share['id']}")
    assert link(server, share, "/f.txt")[0] in server.expected(404, 503)


def test_a_link_with_a_password(unguarded, server, folder):
    import base64

    share = folder.share("/shared", 3, password="correct horse", label="model", expireDate=TOMORROW)

    def with_password(password: str) -> int:
        value = base64.b64encode(f"anonymous:{password}".encode()).decode()
        return link(server, share, "/f.txt", Authorization=f"Basic {value}")[0]

    assert link(server, share, "/f.txt")[0] == 401
    assert with_password("wrong") == 401
    assert with_password("correct horse") == 200
    opened = folder.ocs("PUT", f"{SHARES}/{share['id']}", password="")[1]
    assert link(server, share, "/f.txt")[0] == 200
    kept = ("label", "expiration", "permissions", "token")
    assert {name: opened[name] for name in kept} == {name: share[name] for name in kept}


def test_an_expired_link(server, folder):
    share = folder.share("/shared", 3, expireDate=TOMORROW)
    with sqlite3.connect(server.state / "storage.sqlite") as database:
        database.execute("UPDATE share SET expires = '2020-01-01' WHERE id = ?", (share["id"],))
    status, body = link(server, share, "/f.txt")
    assert status == 503
    assert b"Sabre\\DAV\\Exception\\NotFound" in body
    assert server.raw("GET", f"/s/{share['token']}")[0] == 404


def test_a_file_drop(server, folder):
    share = folder.share("/shared", 3, permissions=4)
    for method in ("PROPFIND", "GET"):
        assert link(server, share, "/", method)[0] == 405
        assert link(server, share, "/f.txt", method)[0] in server.expected(405, 404)
    assert [link(server, share, "/f.txt", "PUT")[0] for _ in range(2)] == [201, 201]
    assert list(folder.listing("/shared")) == [
        "/shared/",
        "/shared/f (2).txt",
        "/shared/f (3).txt",
        "/shared/f.txt",
    ]
    assert folder.read("/shared/f.txt") == b"shared"


def test_a_link_to_one_file_and_its_page(server, folder):
    share = folder.share("/shared/f.txt", 3)
    assert link(server, share) == (200, b"shared")
    assert link(server, share, "", "PUT")[0] == 403
    share = folder.share("/shared", 3)
    answer = folder.client.get(share["url"] + "/download?path=/&files=f.txt")
    assert answer.status_code == 303
    assert urlsplit(answer.headers["Location"]).path == f"/public.php/dav/files/{share['token']}/f.txt"


def test_the_page_of_a_link_leads_to_its_download(server, folder):
    share = folder.share("/shared", 3)
    page, download = f"/s/{share['token']}", f"/public.php/dav/files/{share['token']}?accept=zip"
    answer = folder.client.get(f"{server.url}{page}/download")
    assert (answer.status_code, answer.headers["Location"].removeprefix(server.url)) == (303, download)
    answer = folder.client.get(server.url + page)
    if server.is_own:  # which has no page
        assert (answer.status_code, answer.headers["Location"]) == (303, download)
        assert server.raw("GET", f"{page}/another")[0] == 404
    else:
        assert answer.status_code == 200
    folder.ocs("DELETE", f"{SHARES}/{share['id']}")
    assert [server.raw("GET", gone)[0] for gone in (page, f"{page}/download", "/s/nothere")] == [404] * 3


def test_search_for_whom_to_share_with(folder, bob):
    found = folder.ocs("GET", "apps/files_sharing/api/v1/sharees", search=bob.uid[:3], itemType="folder")[1]
    assert bob.uid in [one["value"]["shareWith"] for one in found["users"]]
    assert folder.uid not in str(found)
    exact = folder.ocs("GET", "apps/files_sharing/api/v1/sharees", search=bob.uid, itemType="folder")[1]["exact"][
        "users"
    ]
    assert [(one["label"], one["value"]["shareWith"]) for one in exact] == [(bob.uid.title(), bob.uid)]
    group = f"crew-{folder.uid}"
    folder.server.account("carla", groups=[group])
    groups = folder.ocs("GET", "apps/files_sharing/api/v1/sharees", search=group[:-1], itemType="folder")[1]["groups"]
    assert [one["value"] for one in groups] == [{"shareType": 1, "shareWith": group}]
    assert folder.ocs("GET", "apps/files_sharing/api/v1/sharees", search="%", itemType="folder")[1]["users"] == []


def test_a_path_with_any_letters_is_shared(alice):
    alice.send("MKCOL", "/100% what?#; ö")
    assert alice.share("/100% what?#; ö", 3)["path"] == "/100% what?#; ö"
    assert alice.ocs("GET", SHARES, path="/100% what?#; ö")[1][0]["path"] == "/100% what?#; ö"


def test_the_old_address_of_links(unguarded, server, folder):
    share = folder.share("/shared", 3, password="a long password")
    address = "/public.php/webdav/f.txt"
    good, bad = (httpx.BasicAuth(share["token"], word)._auth_header for word in ("a long password", "wrong"))
    assert server.raw("GET", address, Authorization=good) == (200, b"shared")
    assert server.raw("GET", address, Authorization=bad)[0] == 401
    assert server.raw("GET", address)[0] == 401
    nobody = httpx.BasicAuth("nobody", "")._auth_header
    assert server.raw("GET", address, Authorization=nobody)[0] in server.expected(404, 401)
