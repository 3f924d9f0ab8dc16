"""Bulk upload: many small files in one request, each whole, verified and told of."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.local.storage.servers import break_off, embedded_only


def part(path: str, content: bytes, **headers: str) -> bytes:
    told = {
        "X-File-Path": path,
        "Content-Length": str(len(content)),
        "X-File-MD5": hashlib.md5(content).hexdigest(),
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items() if value)
    return f"--B\r\n{lines}\r\n".encode() + content + b"\r\n"


def post(account, *parts: bytes, end: bytes = b"--B--\r\n", kind: str = "multipart/related; boundary=B"):
    return account.client.post(
        f"{account.server.url}/remote.php/dav/bulk", content=b"".join(parts) + end, headers={"Content-Type": kind}
    )


def test_many_files_are_stored_with_their_times(alice):
    alice.send("MKCOL", "/ö dir")
    contents = {f"/ö dir/{name}": os.urandom(size) for name, size in (("a#?.jpg", 30_000), ("🐟", 0), ("b.bin", 1))}
    answer = post(alice, *(part(path, content, X_File_Mtime="1700000000") for path, content in contents.items()))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    assert rb'"\/\u00f6 dir\/b.bin"' in answer.content
    for path, told in answer.json().items():
        found = alice.properties(path, "d:getetag", "oc:id", "oc:permissions", "d:getlastmodified", "oc:checksums")
        assert found == {
            "d:getetag": f'"{told["etag"]}"',
            "oc:id": told["fileid"],
            "oc:permissions": told["permissions"],
            "d:getlastmodified": "Tue, 14 Nov 2023 22:13:20 GMT",
        }
        assert told["error"] is False
        assert alice.read(path) == contents[path]
    assert set(answer.json()) == set(contents)


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "MD5"])
def test_a_checksum_does_instead_of_the_md5(alice, algorithm):
    digest = hashlib.new(algorithm.lower(), b"hello").hexdigest()
    good = part("/good", b"hello", X_File_MD5="", OC_Checksum=f"{algorithm}:{digest}", X_OC_Mtime="1700000000")
    bad = part("/bad", b"hullo", X_File_MD5="", OC_Checksum=f"{algorithm}:{digest}")
    answer = post(alice, good, bad)
    assert (answer.status_code, list(answer.json())) == (400, ["/good"])
    assert list(alice.listing()) == ["/", "/good"]


def test_it_overwrites(alice):
    alice.put("/f", b"old", OC_Checksum="SHA1:1")
    assert post(alice, part("/f", b"newer")).json()["/f"]["error"] is False
    assert alice.read("/f") == b"newer"
    assert alice.properties("/f", "oc:checksums") == {}


def test_it_stops_at_the_first_part_that_does_not_fit_its_hash(alice):
    alice.put("/2", b"old")
    answer = post(alice, part("/1", b"one"), part("/2", b"two", X_File_MD5="0" * 32), part("/3", b"three"))
    assert (answer.status_code, list(answer.json())) == (400, ["/1"])
    assert (alice.read("/2"), list(alice.listing())) == (b"old", ["/", "/1", "/2"])
    assert alice.server.drafts() == []


def test_what_cannot_be_stored_does_not_stop_the_others(alice, bob):
    alice.send("MKCOL", "/folder")
    bob.send("MKCOL", "/seen")
    bob.share("/seen", 0, alice.uid, permissions=1)
    paths = ["/missing/f", "/1", "/folder", "/../f", "/seen/f", "/2"]
    answer = post(alice, *(part(path, b"x") for path in paths))
    assert answer.status_code == 200
    told = answer.json()
    assert [path for path in paths if not told[path]["error"]] == ["/1", "/2"]
    assert told["/missing/f"]["message"] == f'Could not create path "/{alice.uid}/files/missing/f"'
    assert all(found["message"] or not alice.server.is_own for found in told.values() if found["error"])
    assert set(alice.listing()) == {"/", "/1", "/2", "/folder/", "/seen/"}
    assert post(alice, part("/missing/f", b"x", X_File_MD5="0" * 32), part("/3", b"x")).status_code == 400


@embedded_only("Nextcloud 32 answers 500 to all")
def test_a_name_that_is_not_taken_does_not_stop_the_others(alice):
    told = post(alice, *(part(path, b"x") for path in ("/1", "/x.part", "/2"))).json()
    assert {path: found["error"] for path, found in told.items()} == {"/1": False, "/x.part": True, "/2": False}


BROKEN = [
    part("/f", b"x", Content_Length=""),
    part("/f", b"x", Content_Length="-1"),
    part("/f", b"x", Content_Length="2"),
    part("/f", b"xx", Content_Length="1"),
    part("/f", b"x", Content_Length="1000000"),
    part("/f", b"x", X_File_MD5=""),
    pytest.param(
        part("/f", b"x", X_File_Path=""), marks=embedded_only("a Nextcloud answers 500 to a part with no path")
    ),
    pytest.param(
        part("/f", b"x").replace(b"/f", b"/\xff"),
        marks=embedded_only("a Nextcloud answers 500 to a path in no UTF-8"),
    ),
    part("/f", b"x").replace(b"X-File-Path: ", b"X-File-Path "),
    pytest.param(
        part("/f", b"x", X_Long="y" * 20_000), marks=embedded_only("a Nextcloud takes headers of any length")
    ),
    b"--B\r\n" + b"X-A: 1\r\n" * 1000,
    b"--C\r\n\r\n",
    b"no boundary at all",
    b"",
]


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_body_stores_what_came_before(alice, broken):
    answer = post(alice, part("/1", b"one"), broken, end=b"" if broken.endswith(b"all") or not broken else b"--B--")
    assert answer.status_code == 400
    assert answer.json()["/1"]["error"] is False
    assert "/f" not in answer.json()
    assert alice.read("/1") == b"one"
    assert set(alice.listing()) <= {"/", "/1"}
    assert alice.put("/after").status_code == 201


def test_a_connection_that_breaks_off_stores_whole_files_only(server, alice):
    body = part("/1", b"x" * 100_000) + part("/2", b"y" * 100_000)
    head = (
        f"POST /remote.php/dav/bulk HTTP/1.1\r\nHost: {server.host}\r\nAuthorization: {alice.basic}\r\n"
        f"Content-Type: multipart/related; boundary=B\r\nContent-Length: {len(body) + 7}\r\n\r\n"
    )
    with server.connect() as connection:
        connection.sendall(head.encode() + body[:-1000])
        answer = break_off(connection)
        assert answer.startswith(b"HTTP/1.1 400") or (not server.is_own and not answer)
    found = alice.listing("/", "oc:size")
    assert list(found) == ["/", "/1"] or (not server.is_own and list(found) == ["/"])
    assert found.get("/1", {"oc:size": "100000"}) == {"oc:size": "100000"}


@pytest.mark.parametrize("kind", ["text/plain", "multipart/related", "multipart/mixed; boundary=B", ""])
def test_another_kind_of_body_is_refused(alice, kind):
    assert post(alice, part("/f", b"x"), kind=kind).status_code == 400
    assert list(alice.listing()) == ["/"]


@pytest.mark.parametrize(
    "kind",
    [
        'multipart/related; boundary="B"',
        pytest.param(
            'multipart/related; type="x"; boundary="B"',
            marks=embedded_only("a Nextcloud finds no boundary after another parameter"),
        ),
    ],
)
def test_a_quoted_boundary(alice, kind):
    assert post(alice, part("/f", b"x"), kind=kind).json()["/f"]["error"] is False


def test_who_may_not(server, alice):
    assert alice.client.get(f"{server.url}/remote.php/dav/bulk").status_code == 404
    assert server.raw("POST", "/remote.php/dav/bulk")[0] == 401


def test_the_quota(limited):
    alice = limited(1_024_000)
    alice.put("/old", b"x" * 500_000)
    alice.put("/other", b"x" * 100_000)
    sizes = {"/a": 600_000, "/old": 450_000, "/other": 300_000, "/b": 100_000}
    answer = post(alice, *(part(path, b"y" * size) for path, size in sizes.items()))
    told = answer.json()
    assert {path: told[path]["error"] for path in sizes} == {"/a": True, "/old": True, "/other": False, "/b": False}
    assert "Insufficient space" in told["/a"]["message"] or not alice.server.is_own


def test_a_large_body_takes_no_memory(start):
    server = start()
    alice = server.account("alice")
    content = os.urandom(1 << 20)

    def parts():
        for number in range(200):
            yield part(f"/{number}", content)
        yield part("/big", content * 100)
        yield b"--B--"

    assert post(alice, part("/warm", b"x")).status_code == 200
    before = peak(server)
    length = str(sum(map(len, parts())))
    headers = {"Content-Type": "multipart/related; boundary=B", "Content-Length": length}
    answer = alice.client.post(f"{server.url}/remote.php/dav/bulk", content=parts(), headers=headers)
    assert len([told for told in answer.json().values() if not told["error"]]) == 201
    assert peak(server) - before < 30_000_000


def peak(server) -> int:
    """Return the most memory that the server's process ever held, in bytes."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
