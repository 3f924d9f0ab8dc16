"""WebDAV as the contract has it, statement by statement."""

from __future__ import annotations

import hashlib
import io
import os
import unicodedata
import zipfile

import pytest

from tests.local.storage.servers import embedded_only

ODD_NAMES = [
    "a b.txt",
    "100%.txt",
    "%41.txt",
    "a#b.txt",
    "what?.txt",
    "a+b&c=d.txt",
    "[x]*{y}.txt",
    "quo\"te's<>|:.txt",
    " lead",
    "trail. ",
    ".hidden",
    "🐟🦐.jpg",
    "日本語;v=1.txt",
    "é" * 125,
    "x" * 250,
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_come_back_as_they_went(alice, name):
    assert alice.put(f"/{name}", b"odd").status_code == 201
    assert alice.read(f"/{name}") == b"odd"
    assert f"/{name}" in alice.listing()
    assert alice.move(f"/{name}", "/plain").status_code == 201
    assert alice.move("/plain", f"/{name}", "COPY").status_code == 201
    assert alice.read(f"/{name}") == b"odd"
    assert alice.send("DELETE", f"/{name}").status_code == 204
    assert alice.read("/plain") == b"odd"


def test_names_are_kept_in_nfc(alice):
    decomposed, composed = unicodedata.normalize("NFD", "/Mälaren.txt"), "/Mälaren.txt"
    assert alice.put(decomposed).status_code == 201
    assert list(alice.listing()) == ["/", composed]
    assert alice.read(composed) == alice.read(decomposed) == b"hello"


def test_a_decomposed_name_from_disk_is_listed_and_read_composed(alice):
    alice.put(unicodedata.normalize("NFD", "/Mälaren.txt"))
    assert [path.name for path in alice.home.iterdir()] == ["Mälaren.txt"]
    (alice.home / unicodedata.normalize("NFD", "ö.txt")).write_bytes(b"disk")
    assert "/ö.txt" in alice.listing()
    assert alice.read("/ö.txt") == b"disk"


@pytest.mark.parametrize(
    ("name", "status"),
    [("a\\b", 400), ("x.part", 400), ("x.filepart", 400), (".htaccess", 500), ("x" * 251, 400), ("a\x01b", 400)],
)
def test_refused_names(alice, name, status):
    assert alice.put(f"/{name}").status_code == status
    assert alice.send("MKCOL", f"/{name}").status_code in alice.server.expected(status, 400, 405)
    assert list(alice.listing()) == ["/"]


def test_put_answers_with_tag_and_id(alice):
    made = alice.put("/f", X_OC_MTime="1700000000", X_OC_CTime="1600000000", OC_Checksum="SHA1:feed")
    assert made.status_code == 201
    assert made.headers["X-OC-MTime"] == made.headers["X-OC-CTime"] == "accepted"
    assert made.headers["ETag"] == made.headers["OC-ETag"] == alice.etag("/f")
    again = alice.put("/f", b"other")
    assert again.status_code == 204
    assert again.headers["ETag"] != made.headers["ETag"]
    assert again.headers["OC-FileId"] == made.headers["OC-FileId"]


def test_the_checksum_is_stored_unverified_and_reset_by_a_plain_overwrite(alice):
    alice.put("/f", OC_Checksum="SHA1:0123")
    assert alice.send("GET", "/f").headers["OC-Checksum"] == "SHA1:0123"
    assert alice.properties("/f", "oc:checksums") == {"oc:checksums": "SHA1:0123"}
    alice.put("/f")
    assert "OC-Checksum" not in alice.send("GET", "/f").headers
    assert alice.properties("/f", "oc:checksums") == {}


def test_a_file_changed_on_disk_loses_its_checksum_and_its_tag(alice):
    tag = alice.put("/f", OC_Checksum="SHA1:0123").headers["ETag"]
    folder = alice.etag("/")
    (alice.home / "f").write_bytes(b"behind the server")
    assert alice.properties("/f", "oc:checksums") == {}
    assert alice.etag("/f") != tag
    assert alice.etag("/") != folder
    assert alice.read("/f") == b"behind the server"


def test_the_server_hashes_what_it_stored(alice):
    content = os.urandom(100_000)
    for name in ("sha256", "sha1", "md5"):
        answer = alice.put("/f", content, X_Hash=name)
        assert answer.headers[f"X-Hash-{name.upper()}"] == hashlib.new(name, content).hexdigest()


@pytest.mark.parametrize(("sent", "status"), [("1600000000.75", 201), ("abc", 500), ("0", 500), ("86399", 500)])
def test_modification_times(alice, sent, status):
    assert alice.put("/f", X_OC_MTime=sent).status_code == status
    assert alice.read("/f") == b"hello"
    if status == 201:
        assert alice.send("HEAD", "/f").headers["Last-Modified"] == "Sun, 13 Sep 2020 12:26:40 GMT"


PUT_STATUS = [
    ("/new", {}, 201),
    ("/old", {}, 204),
    ("/folder", {}, 409),
    ("/missing/new", {}, 404),
    ("/deep/er/new", {"X-NC-WebDAV-Auto-Mkcol": "1"}, 201),
    ("/old", {"Content-Range": "bytes 0-4/5"}, 400),
    ("/old", {"If-None-Match": "*"}, 412),
    ("/new", {"If-None-Match": "*"}, 201),
    ("/old", {"If-Match": '"wrong"'}, 412),
    ("/new", {"If-Match": '"wrong"'}, 412),
    ("/new", {"If-Match": "*"}, 412),
    ("/old", {"If-Match": "TAG"}, 204),
    ("/old", {"If": '(["wrong"])'}, 412),
    ("/old", {"If": "([TAG])"}, 204),
    ("/old", {"If-Unmodified-Since": "Sun, 13 Sep 2020 12:26:40 GMT"}, 412),
]


@pytest.mark.parametrize(("path", "headers", "status"), PUT_STATUS)
def test_put_status(alice, path, headers, status):
    alice.send("MKCOL", "/folder")
    tag = alice.put("/old", b"old").headers["ETag"]
    sent = {name: value.replace("TAG", tag) for name, value in headers.items()}
    answer = alice.client.put(alice.url(path), content=b"new", headers=sent)
    assert answer.status_code == status
    assert alice.read("/old") == (b"new" if path == "/old" and status == 204 else b"old")
    if status == 412 and path == "/old" and "If-Match" in headers:
        assert answer.headers["ETag"] == tag
        assert "<s:header>If-Match</s:header>" in answer.text


READ_STATUS = [
    ({}, 200, b"hello world"),
    ({"Range": "bytes=6-"}, 206, b"world"),
    ({"Range": "bytes=-5"}, 206, b"world"),
    ({"Range": "bytes=0-1"}, 206, b"he"),
    ({"Range": "bytes=0-0"}, 206, b"hello world"),  # Sabre takes a last byte of 0 for none
    ({"Range": "bytes=4-99"}, 206, b"o world"),
    ({"Range": "bytes=0-1,4-5"}, 200, b"hello world"),
    ({"Range": "bytes=11-"}, 416, None),
    ({"Range": "bytes=6-", "If-Range": '"wrong"'}, 200, b"hello world"),
    ({"Range": "bytes=6-", "If-Range": "TAG"}, 206, b"world"),
    ({"If-None-Match": "TAG"}, 304, b""),
    ({"If-None-Match": '"wrong"'}, 200, b"hello world"),
    ({"If-Match": '"wrong"'}, 412, None),
    ({"If-Match": "TAG"}, 200, b"hello world"),
]


@pytest.mark.parametrize(("headers", "status", "content"), READ_STATUS)
def test_get_status(alice, headers, status, content):
    tag = alice.put("/f.txt", b"hello world").headers["ETag"]
    sent = {name: value.replace("TAG", tag) for name, value in headers.items()}
    answer = alice.client.get(alice.url("/f.txt"), headers=sent)
    assert answer.status_code == status
    if content is not None:
        assert answer.content == content
    if status in {200, 206}:
        assert answer.headers["ETag"] == answer.headers["OC-ETag"] == tag
        assert answer.headers["Content-Type"] == "text/plain;charset=UTF-8"
        disposition = "attachment; filename*=UTF-8''f.txt; filename=\"f.txt\""
        assert answer.headers["Content-Disposition"] == disposition
        head = alice.client.head(alice.url("/f.txt"), headers=sent)
        assert status == 206 or head.headers["Content-Length"] == str(len(answer.content))
        assert not head.content


def test_propfind_without_a_body_gives_the_standard_properties(alice):
    alice.put("/sub.txt", b"12345", X_OC_MTime="1700000000")
    found = alice.listing()
    assert set(found["/"]) == {
        "d:getlastmodified",
        "d:resourcetype",
        "d:quota-used-bytes",
        "d:quota-available-bytes",
        "d:getetag",
    }
    assert found["/"]["d:quota-used-bytes"] == "5"
    assert found["/"]["d:quota-available-bytes"] == "-3"
    assert len(found["/"]["d:getetag"]) == 15
    assert found["/sub.txt"] == {
        "d:getlastmodified": "Tue, 14 Nov 2023 22:13:20 GMT",
        "d:getcontentlength": "5",
        "d:resourcetype": None,
        "d:getetag": alice.etag("/sub.txt"),
        "d:getcontenttype": "text/plain",
    }


def test_named_properties(alice):
    alice.send("MKCOL", "/d")
    alice.send("MKCOL", "/d/below")
    file_id = alice.put("/d/f.jpg", b"123", OC_Checksum="MD5:1", X_OC_CTime="1600000000").headers["OC-FileId"]
    names = [
        "oc:id",
        "oc:permissions",
        "oc:size",
        "oc:checksums",
        "oc:owner-id",
        "oc:favorite",
        "d:creationdate",
        "x",
    ]
    names += ["nc:contained-file-count", "nc:contained-folder-count", "nc:creation_time", "nc:mount-type"]
    names += ["d:getcontentlength"]
    found = alice.listing("/d", *names)
    number = str(int(file_id[:8]))
    assert alice.properties("/d/f.jpg", "oc:fileid") == {"oc:fileid": number}
    assert found["/d/f.jpg"] == {
        "oc:id": file_id,
        "oc:permissions": "RGDNVW",
        "oc:size": "3",
        "oc:checksums": "MD5:1",
        "oc:owner-id": alice.uid,
        "oc:favorite": "0",
        "nc:creation_time": "1600000000",
        "d:creationdate": "2020-09-13T12:26:40+00:00",
        "nc:mount-type": None,
        "d:getcontentlength": "3",
    }
    folder = found["/d/"]
    assert folder["oc:permissions"] == "RGDNVCK"
    assert (folder["oc:size"], folder["nc:contained-file-count"], folder["nc:contained-folder-count"]) == (
        "3",
        "1",
        "1",
    )
    assert "d:getcontentlength" not in folder


def test_depths_and_addresses(alice):
    alice.send("MKCOL", "/a b")
    alice.put("/a b/c+d#e&f.txt")
    assert list(alice.listing("/", depth="0")) == ["/"]
    assert list(alice.listing("/", depth="1")) == ["/", "/a b/"]
    assert list(alice.listing("/", depth="infinity")) == ["/", "/a b/", "/a b/c+d#e&f.txt"]
    without_depth = alice.send("PROPFIND", "/")
    assert without_depth.text.count("<d:response>") == 2
    whole = alice.send("PROPFIND", "/", Depth="infinity").text
    assert f"<d:href>{alice.root}/a%20b/c%2bd%23e%26f.txt</d:href>" in whole
    assert alice.send("PROPFIND", "/", Depth="2").status_code in alice.server.expected(400, 207)
    missing = alice.send("PROPFIND", "/nope.txt")
    assert missing.status_code == 404
    assert "File with name /nope.txt could not be located" in missing.text


def test_a_folder_tag_changes_with_anything_below_and_with_nothing_else(alice):
    alice.send("MKCOL", "/a")
    alice.send("MKCOL", "/a/b")
    alice.put("/a/b/f", b"1")
    alice.put("/beside", b"1")
    seen = {alice.etag("/a/")}
    assert alice.etag("/a/") in seen
    alice.put("/beside", b"2")
    assert alice.etag("/a/") in seen
    changes = [
        lambda: alice.put("/a/b/f", b"2"),
        lambda: alice.put("/a/b/g", b""),
        lambda: alice.move("/a/b/g", "/a/b/h"),
        lambda: alice.send("MKCOL", "/a/b/c"),
        lambda: alice.send("DELETE", "/a/b/h"),
    ]
    for change in changes:
        change()
        assert alice.etag("/a/") not in seen
        seen.add(alice.etag("/a/"))


def test_a_folder_tag_changes_with_a_change_on_disk(alice):
    alice.send("MKCOL", "/a")
    alice.send("MKCOL", "/a/b")
    before = alice.etag("/a/")
    (alice.home / "a/b/disk").write_bytes(b"x")
    assert alice.etag("/a/") != before


@embedded_only("a Nextcloud keeps the tag of a file whose time in seconds stays the same")
def test_no_two_uploads_share_a_tag_even_with_the_same_time(alice):
    tags = {alice.put("/f", b"%03d" % number, X_OC_MTime="1700000000").headers["ETag"] for number in range(100)}
    assert len(tags) == 100


def test_uploads_with_the_same_time_are_told_apart_on_disk(alice):
    moments = set()
    for number in range(100):
        alice.put("/f", b"%03d" % number, X_OC_MTime="1700000000")
        moments.add((alice.home / "f").stat().st_mtime_ns)
    assert len(moments) == 100
    assert {moment // 10**9 for moment in moments} == {1_700_000_000}


TREE = """
MKCOL /d -> 201, MKCOL /d -> 405, MKCOL /no/d -> 409, MKCOL /f -> 405
DELETE /f -> 204, DELETE /d -> 204, DELETE /nope -> 404, DELETE / -> 403
LOCK /f -> 501, UNLOCK /f -> 501, POST /f -> 501
OPTIONS / -> 200, GET / -> 200, GET /nope -> 404, HEAD /nope -> 404
""".replace("\n", ",").split(",")


@pytest.mark.parametrize("row", [row.strip() for row in TREE if row.strip()])
def test_status_of_simple_requests(alice, row):
    asked, status = row.split(" -> ")
    method, path = asked.split(" ")
    alice.put("/f")
    if "/d" in row and "-> 201" not in row:
        alice.send("MKCOL", "/d")
    answer = alice.send(method, path)
    assert answer.status_code == int(status)
    if answer.status_code >= 400 and method != "HEAD":
        assert "<s:exception>" in answer.text
        assert answer.headers["Content-Type"].startswith("application/xml")
    if status == "201":
        assert answer.headers["OC-FileId"]


MOVES = [
    ("MOVE", "/f", "/new", {}, 201),
    ("MOVE", "/f", "/old", {}, 204),
    ("MOVE", "/f", "/old", {"Overwrite": "F"}, 412),
    ("MOVE", "/nope", "/new", {}, 404),
    ("MOVE", "/f", "/nope/new", {}, 409),
    ("MOVE", "/d", "/d/below", {}, 409),
    ("MOVE", "/d/x", "/d", {}, 403),
    ("MOVE", "/f", "/f", {}, 403),
    ("MOVE", "/d", "/e", {}, 201),
    ("MOVE", "/d", "/old", {}, 204),
    ("MOVE", "/f", "/d", {}, 204),
    ("MOVE", "/f", "/x.part", {}, 400),
    ("MOVE", "/f", "/new", {"If-Match": '"wrong"'}, 412),
    ("COPY", "/f", "/new", {}, 201),
    ("COPY", "/f", "/old", {}, 204),
    ("COPY", "/f", "/old", {"Overwrite": "F"}, 412),
    ("COPY", "/d", "/e", {}, 201),
    ("COPY", "/d", "/d/below", {}, 409),
    ("COPY", "/nope", "/new", {}, 404),
    ("COPY", "/f", "/nope/new", {}, 409),
]


@pytest.mark.parametrize(("method", "source", "target", "headers", "status"), MOVES)
def test_copy_and_move(alice, method, source, target, headers, status):
    alice.put("/f", b"f")
    alice.put("/old", b"old")
    alice.send("MKCOL", "/d")
    alice.put("/d/x", b"x")
    before = alice.listing("/", "oc:id", depth="infinity")
    sent = {name.replace("-", "_"): value for name, value in headers.items()}
    answer = alice.move(source, target, method, **sent)
    assert answer.status_code == status, answer.text
    after = alice.listing("/", "oc:id", depth="infinity")
    if status >= 400:
        assert after == before
        return
    assert (source in after or source + "/" in after) is (method == "COPY")
    old, new = (source + "/", target + "/") if source == "/d" else (source, target)
    assert answer.headers["OC-FileId"] == after[new]["oc:id"]
    assert (after[new] == before[old]) is (method == "MOVE")
    assert ("ETag" in answer.headers) is (method == "MOVE" and source == "/f")
    if source == "/d":
        assert (after[f"{target}/x"] == before["/d/x"]) is (method == "MOVE")
        assert alice.read(f"{target}/x") == b"x"


def test_a_move_keeps_checksum_time_and_properties(alice):
    alice.send("MKCOL", "/d")
    alice.put("/d/f", OC_Checksum="SHA1:77", X_OC_MTime="1700000000")
    alice.send("MKCOL", "/d0")
    alice.put("/d0/f", OC_Checksum="SHA1:88")
    alice.move("/d", "/e")
    assert alice.send("GET", "/e/f").headers["OC-Checksum"] == "SHA1:77"
    assert alice.send("GET", "/e/f").headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert alice.send("GET", "/d0/f").headers["OC-Checksum"] == "SHA1:88"


@embedded_only("a Nextcloud nests trees as deep as its disk does")
def test_trees_cannot_be_nested_without_end(alice):
    folder = "/" + "/".join("a" * 200)
    for tree in ("/one", "/two"):
        alice.put(f"{tree}{folder}/f", X_NC_WebDAV_Auto_Mkcol="1")
    for method in ("MOVE", "COPY"):
        assert alice.move("/one", f"/two{folder}/one", method).status_code == 400
    assert alice.move("/one", "/two/a/one", method).status_code == 201
    assert alice.read(f"/two/a/one{folder}/f") == b"hello"


def test_the_host_of_a_destination_is_ignored(alice):
    alice.put("/f")
    answer = alice.send("MOVE", "/f", Destination=f"https://elsewhere.example:1{alice.root}/g")
    assert answer.status_code == 201
    assert alice.read("/g") == b"hello"


def test_a_destination_with_a_condition(alice):
    alice.put("/f", b"new")
    tag = alice.put("/old", b"old").headers["ETag"]
    for given, status in (('"wrong"', 412), (tag, 204)):
        answer = alice.move("/f", "/old", If=f"<{alice.url('/old')}> ([{given}])")
        assert answer.status_code == status
    assert alice.read("/old") == b"new"


def test_proppatch(alice):
    file_id = alice.put("/f").headers["OC-FileId"]
    body = (
        '<d:propertyupdate xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:set><d:prop>'
        "<d:lastmodified>1700000000</d:lastmodified><oc:favorite>1</oc:favorite>"
        '<cruise xmlns="urn:mine">A&amp;B</cruise></d:prop></d:set></d:propertyupdate>'
    )
    answer = alice.send("PROPPATCH", "/f", body)
    assert answer.status_code == 207
    assert "200 OK" in answer.text
    alice.move("/f", "/g")
    names = propfind_mine()
    text = alice.send("PROPFIND", "/g", names, Depth="0").text
    assert ">A&amp;B</" in text
    found = alice.properties("/g", "d:getlastmodified", "oc:favorite", "oc:id")
    assert found == {
        "d:getlastmodified": "Tue, 14 Nov 2023 22:13:20 GMT",
        "oc:favorite": "1",
        "oc:id": file_id,
    }
    refused = alice.send("PROPPATCH", "/g", body.replace("lastmodified>", "getetag>"))
    assert "403" in refused.text
    assert alice.send("PROPPATCH", "/g", b"<no").status_code == 400
    removal = body.replace("d:set>", "d:remove>").replace("<d:lastmodified>1700000000</d:lastmodified>", "")
    assert alice.send("PROPPATCH", "/g", removal).status_code == 207
    assert alice.properties("/g", "oc:favorite") == {"oc:favorite": "0"}


def test_a_changed_time_takes_the_checksum_away(alice):
    alice.put("/f", OC_Checksum="SHA1:1")
    body = '<d:propertyupdate xmlns:d="DAV:"><d:set><d:prop><d:lastmodified>1700000000</d:lastmodified></d:prop>'
    assert alice.send("PROPPATCH", "/f", body + "</d:set></d:propertyupdate>").status_code == 207
    assert alice.properties("/f", "oc:checksums") == {}


def propfind_mine() -> bytes:
    return b'<d:propfind xmlns:d="DAV:"><d:prop><cruise xmlns="urn:mine"/></d:prop></d:propfind>'


@pytest.mark.parametrize(
    "body",
    [
        b"<no",
        b"<other/>",
    ],
)
def test_bad_xml_is_a_bad_request(alice, body):
    assert alice.send("PROPFIND", "/", body).status_code == 400


@embedded_only("a Nextcloud takes entities in XML")
def test_entities_in_xml_are_refused(alice):
    body = b'<!DOCTYPE a [<!ENTITY b "c">]><d:propfind xmlns:d="DAV:"><d:prop><x>&b;</x></d:prop></d:propfind>'
    assert alice.send("PROPFIND", "/", body).status_code == 400


def test_a_folder_comes_as_one_stored_archive(alice):
    alice.send("MKCOL", "/set")
    alice.send("MKCOL", "/set/ä")
    contents = {f"set/ä/{number}.bin": os.urandom(300_000) for number in range(3)}
    for name, content in contents.items():
        alice.put(f"/{name}", content)
    answer = alice.send("GET", "/set", Accept="application/zip")
    assert answer.headers["Content-Disposition"].endswith('filename="set.zip"')
    assert "Content-Length" not in answer.headers
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()} == contents
    assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_the_short_address_is_the_same_home(alice):
    alice.put("/f")
    short = alice.client.get(f"{alice.server.url}/remote.php/webdav/f")
    assert short.content == b"hello"
    moved = alice.client.request(
        "MOVE",
        f"{alice.server.url}/remote.php/webdav/f",
        headers={"Destination": f"{alice.server.url}/remote.php/webdav/g"},
    )
    assert moved.status_code == 201
    assert alice.read("/g") == b"hello"


@embedded_only("a Nextcloud leaves nothing out")
def test_what_is_left_out_says_so(alice):
    answers = [
        alice.client.request("PROPFIND", f"{alice.server.url}/remote.php/dav/versions/{alice.uid}/"),
        alice.send("REPORT"),
        alice.send("REPORT", "/nope"),
    ]
    for answer in answers:
        assert answer.status_code == 501
        assert "<s:exception>Sabre\\DAV\\Exception\\NotImplemented</s:exception>" in answer.text
