"""What one user tries on another's files: a table of attempts, all in vain."""

from __future__ import annotations

import pytest

SECRET = b"bob's secret"


@pytest.fixture(scope="module")
def pair(server):
    """Two people for all attempts: none of them may change anything."""
    alice, bob = server.account("alice"), server.account("bob")
    bob.send("MKCOL", "/private")
    bob.put("/private/s.txt", SECRET)
    alice.put("/own.txt", b"own")
    alice.send("MKCOL", "/d")
    return alice, bob


@pytest.fixture
def linked(pair):
    """The two, with links on the disk from one's home into the other's."""
    alice, bob = pair
    links = {alice.home / "link": bob.home / "private", alice.home / "link.txt": bob.home / "private" / "s.txt"}
    for link, target in links.items():
        link.symlink_to(target)
    yield pair
    for link in links:
        link.unlink()


READS = [
    ("/remote.php/dav/files/BOB/private/s.txt", 404),
    ("/remote.php/dav/files/BOB/private", 404),
    ("/remote.php/dav/files/ALICE/../BOB/private/s.txt", 400),
    ("/remote.php/dav/files/ALICE/%2e%2e/BOB/private/s.txt", 400),
    ("/remote.php/dav/files/ALICE/%2E%2E/%2e%2e/BOB/files/private/s.txt", 400),
    ("/remote.php/dav/files/ALICE/..%2f..%2fBOB/files/private/s.txt", 400),
    ("/remote.php/dav/files/ALICE/d/..%5c..%5cBOB/files/private/s.txt", 400),
    ("/remote.php/dav/files/ALICE/d/%2e%2e/%2e%2e/%2e%2e/storage.sqlite", 400),
    ("/remote.php/dav/files/ALICE%2f..%2fBOB/private/s.txt", 400),
    ("/remote.php/dav/files/ALICE/%00/s.txt", 400),
    ("/remote.php/dav/files/ALICE/own.txt%00.png", 400),
    ("/remote.php/dav/files/ALICE/%c0%ae%c0%ae/BOB/private/s.txt", 400),
    ("/remote.php/dav/files/../files/BOB/private/s.txt", 400),
    ("/remote.php/dav/files//BOB//private//s.txt", 404),
    ("/remote.php/webdav/../BOB/files/private/s.txt", 400),
    ("/remote.php/webdav/%2e%2e/%2e%2e/BOB/files/private/s.txt", 400),
    ("/index.php/remote.php/dav/files/BOB/private/s.txt", 404),
    ("/public.php/dav/files/BOB/private/s.txt", 404),
    ("/public.php/dav/files/%2e%2e/BOB/files/private/s.txt", 400),
    ("http://elsewhere.example/remote.php/dav/files/BOB/private/s.txt", 400),
    ("/remote.php/dav/files/BOB/private/s.txt?user=ALICE", 404),
]


@pytest.mark.parametrize(("target", "exact"), READS)
@pytest.mark.parametrize("method", ["GET", "PROPFIND", "HEAD"])
def test_reading(server, pair, method, target, exact):
    refused_to_read(server, pair, method, target, exact)


@pytest.mark.parametrize("target", ["/remote.php/dav/files/ALICE/link/s.txt", "/remote.php/dav/files/ALICE/link.txt"])
@pytest.mark.parametrize("method", ["GET", "PROPFIND", "HEAD"])
def test_reading_through_a_link_on_disk(server, linked, method, target):
    refused_to_read(server, linked, method, target, 404)


def refused_to_read(server, pair, method, target, exact):
    alice, bob = pair
    named = target.replace("ALICE", alice.uid).replace("BOB", bob.uid)
    for headers in ({"Depth": "1"}, {"Depth": "infinity", "Accept": "application/zip"}):
        status, body = server.raw(method, named, alice, **headers)
        assert status in server.expected(exact, 400, 401, 403, 404, 405, 500), (status, body)
        assert SECRET not in body
        assert b"s.txt</d:href>" not in body


WRITES = ["PUT", "DELETE", "MKCOL", "PROPPATCH", "MOVE", "COPY", "LOCK"]
HOME = "/remote.php/dav/files/BOB"
PLACES = [
    ("/remote.php/dav/files/BOB/private/s.txt", 403),
    ("/remote.php/dav/files/BOB/new", 403),
    ("/remote.php/dav/files/ALICE/../BOB/new", 400),
    ("/remote.php/dav/files/ALICE/%2e%2e/%2e%2e/BOB/files/new", 400),
    ("/remote.php/dav/files/ALICE/d/..%2f..%2f..%2fBOB%2ffiles%2fnew", 400),
    (HOME, 403),
]


LINKED = "/remote.php/dav/files/ALICE/link/new"


def everything(account) -> dict[str, dict[str, str | None]]:
    return account.listing("/", "oc:id", "d:getetag", "oc:size", depth="infinity")


@pytest.mark.parametrize(
    ("method", "target", "exact"),
    [
        # A copy of another's home is an empty folder on a Nextcloud: tested by itself.
        (method, target, exact)
        for method in WRITES
        for target, exact in PLACES
        if (method, target) != ("COPY", HOME)
    ],
)
def test_writing(server, pair, method, target, exact):
    refused_to_write(server, pair, method, target, exact)


@pytest.mark.parametrize("method", WRITES)
def test_writing_through_a_link_on_disk(server, linked, method):
    refused_to_write(server, linked, method, LINKED, {"MKCOL": 409, "LOCK": 501}.get(method, 404))


def refused_to_write(server, pair, method, target, exact):
    alice, bob = pair
    before = everything(bob)
    named = target.replace("ALICE", alice.uid).replace("BOB", bob.uid)
    destination = f"{server.url}{alice.root}/taken"
    status, body = server.raw(method, named, alice, Destination=destination)
    assert status in server.expected(exact, 400, 403, 404, 405, 409, 501), (status, body)
    assert everything(bob) == before
    assert "/taken" not in alice.listing()


@pytest.mark.parametrize(("target", "exact"), PLACES)
@pytest.mark.parametrize("method", ["MOVE", "COPY"])
@pytest.mark.parametrize("host", ["", "http://127.0.0.1", "https://elsewhere.example:8443"])
def test_sending_something_there(server, pair, method, target, exact, host):
    refused_to_send(server, pair, method, host + target, exact)


@pytest.mark.parametrize("method", ["MOVE", "COPY"])
def test_sending_something_through_a_link_on_disk(server, linked, method):
    refused_to_send(server, linked, method, LINKED, 409)


def refused_to_send(server, pair, method, target, exact):
    alice, bob = pair
    before = everything(bob)
    named = target.replace("ALICE", alice.uid).replace("BOB", bob.uid)
    status, body = server.raw(method, f"{alice.root}/own.txt", alice, Destination=named)
    assert status in server.expected(exact, 400, 403, 409), (status, body)
    assert everything(bob) == before
    assert alice.read("/own.txt") == b"own"


def test_a_copy_of_anothers_home_has_nothing_of_it(server, alice, bob):
    bob.put("/s.txt", SECRET)
    destination = f"{server.url}{alice.root}/taken"
    status, _ = server.raw("COPY", HOME.replace("BOB", bob.uid), alice, Destination=destination)
    assert status in server.expected(403, 201)
    assert set(alice.listing(depth="infinity")) <= {"/", "/taken/"}


def test_another_home_shows_that_it_is_a_folder_and_nothing_else(server, pair):
    alice, bob = pair
    for depth in ("0", "1", "infinity"):
        status, body = server.raw("PROPFIND", f"{bob.root}/", alice, Depth=depth)
        assert status == 207
        assert body.count(b"<d:response>") == 1
        assert b"<d:prop><d:resourcetype><d:collection/></d:resourcetype></d:prop>" in body
        assert b"private" not in body
    assert server.raw("PROPFIND", "/remote.php/dav/files/nobody/", alice)[0] == 404


def test_links_on_disk_are_neither_listed_nor_packed_nor_copied(alice, bob):
    bob.send("MKCOL", "/private")
    bob.put("/private/s.txt", SECRET)
    alice.put("/own.txt", b"own")
    alice.send("MKCOL", "/d")
    (alice.home / "d" / "link").symlink_to(bob.home / "private")
    (alice.home / "d" / "link.txt").symlink_to(bob.home / "private" / "s.txt")
    (alice.home / "inside").symlink_to(alice.home / "own.txt")
    assert list(alice.listing(depth="infinity")) == ["/", "/d/", "/own.txt"]
    archive = alice.send("GET", "/d", Accept="application/zip").content
    assert SECRET not in archive
    assert b"link" not in archive
    alice.move("/d", "/e", "COPY")
    assert list((alice.home / "e").iterdir()) == []
    assert alice.put("/inside", b"new").status_code == 201
    assert (alice.home / "own.txt").read_bytes() == b"own"


def test_sharing_something_of_another(server, pair):
    alice, bob = pair
    paths = {"/private/s.txt": 404, f"/../{bob.uid}/files/private": 400, "/private": 404, "/": 403}
    for path, exact in paths.items():
        status, _ = alice.ocs("POST", "apps/files_sharing/api/v1/shares", path=path, shareType=3)
        assert status in server.expected(exact, 400, 403, 404, 500), path
    share = bob.share("/private", 3)
    for method in ("GET", "PUT", "DELETE"):
        status, _ = alice.ocs(method, f"apps/files_sharing/api/v1/shares/{share['id']}", permissions=31)
        assert status == 404
    assert bob.ocs("GET", f"apps/files_sharing/api/v1/shares/{share['id']}")[1][0]["permissions"] == 17


def test_broken_requests_are_refused_not_crashed_on(server, alice):
    lines = {b"GET": 400, b"GET /\xff\xfe HTTP/1.1": 400, b"PROPFIND * HTTP/1.1": 400, b"OPTIONS * HTTP/1.1": 404}
    for line, exact in lines.items():
        with server.connect() as connection:
            connection.sendall(line + f"\r\nHost: {server.host}\r\nConnection: close\r\n\r\n".encode())
            status = int(connection.recv(4096).split(b" ")[1])
        assert status in server.expected(exact, *range(400, 500)), line
    assert alice.send("PROPFIND").status_code == 207
    deep = server.raw("PUT", alice.root + "/a" * 300, alice)
    assert deep[0] in server.expected(400, 404)
