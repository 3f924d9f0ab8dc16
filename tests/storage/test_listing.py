"""Listings of any size: as they arrive, page by page, or whole."""

from __future__ import annotations

import http.server
import threading
import time
import tracemalloc

import pytest

from imagine_lib.errors import StorageError
from imagine_lib.storage import Credential, NextcloudFileSystem, stage, sync
from imagine_lib.storage.webdav.listing import arriving, page
from imagine_lib.storage.webdav.protocol import normal
from tests.storage.altering import answers, without

ROW = (
    "<d:response><d:href>/remote.php/dav/files/u/d/image%20{:06}.jpg</d:href><d:propstat><d:prop>"
    "<d:getlastmodified>Tue, 14 Nov 2023 22:13:20 GMT</d:getlastmodified><d:getcontentlength>11</d:getcontentlength>"
    "<d:resourcetype/><d:getetag>&quot;{}&quot;</d:getetag></d:prop><d:status>HTTP/1.1 200 OK</d:status>"
    "</d:propstat></d:response>"
)
FOLDER = (
    '<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"><d:response><d:href>/remote.php/dav/files/u/d/</d:href>'
    "<d:propstat><d:prop><d:resourcetype><d:collection/></d:resourcetype></d:prop></d:propstat></d:response>"
)


@pytest.fixture
def listing(tmp_path, monkeypatch):
    """A server with one large folder."""
    monkeypatch.setenv("IMAGINE_CACHE", str(tmp_path))
    servers = []

    def listing(count: int, broken_at: int = 0) -> NextcloudFileSystem:
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PROPFIND(self) -> None:
                asked.append(1)
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(207)
                self.end_headers()
                self.wfile.write(FOLDER.encode())
                for start in range(0, count, 500):
                    if len(asked) == 1 and broken_at and start >= broken_at:
                        return
                    self.wfile.write("".join(ROW.format(n, n) for n in range(start, start + 500)).encode())
                self.wfile.write(b"</d:multistatus>")

            def log_message(self, *_: object) -> None: ...

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        credential = Credential(url=f"http://127.0.0.1:{server.server_port}", user="u", password="p")
        return NextcloudFileSystem(credential)

    yield listing
    for server in servers:
        server.shutdown()


async def count(fs, moments: list[float]) -> int:
    begun, number = time.monotonic(), 0
    async for _ in arriving(fs.client, "d"):
        number += 1
        if number == 1:
            moments.append(time.monotonic() - begun)
    return number


def test_a_hundred_thousand_entries_arrive_one_by_one(listing):
    fs, moments = listing(100_000), []
    assert fs.run(count(fs, moments)) == 100_000
    assert moments[0] < 1


def test_they_take_no_memory(listing):
    fs = listing(30_000)
    fs.run(count(listing(500), []))
    tracemalloc.start()
    try:
        assert fs.run(count(fs, [])) == 30_000
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024**2
    finally:
        tracemalloc.stop()


def test_a_listing_that_breaks_off_goes_on_and_repeats_nothing(listing):
    fs, names = listing(5_000, broken_at=2_000), []

    async def collect() -> None:
        names.extend([entry.name async for entry in arriving(fs.client, "d")])

    fs.run(collect())
    assert names == [f"image {n:06}.jpg" for n in range(5_000)]


def test_pages(fs):
    for number in range(25):
        fs.pipe_file(f"d/{number:02}", b"x")
    found, following, sizes = [], None, []
    while True:
        part = fs.run(page(fs.client, "d", following, 10))
        assert part.total == 25
        found += [entry.name for entry in part.entries]
        sizes.append(len(part.entries))
        following = part.following
        if following is None:
            break
    assert found == [f"{number:02}" for number in range(25)]
    assert max(sizes) <= 10


NOWHERE = ("d/../../../outside/evil.txt", "d/%2e%2e/evil.txt", "d/./f", "d//f", "d/a%00b", "e/f", "../v/f", "")


@pytest.mark.parametrize("href", NOWHERE)
def test_a_server_that_lists_what_was_not_asked_for(fs, place, tmp_path, href):
    fs.pipe_file("d/f", b"x")
    fs = place.files(patience=0.3)
    lie = f"/remote.php/dav/files/{place.account.uid}/{href}"

    def alter(_: str, body: bytes) -> bytes:
        before, _, after = body.rpartition(b"<d:href>")
        return before + b"<d:href>" + lie.encode() + b"</d:href>" + after.partition(b"</d:href>")[2]

    with answers(place.passage, "PROPFIND", alter):
        for work in (
            lambda: sync(tmp_path / "deep" / "here", "nextcloud:/d", filesystem=fs),
            lambda: stage("nextcloud:/d", filesystem=fs),
            lambda: fs.ls("d"),
            lambda: fs.run(page(fs.client, "d")),
            lambda: fs.run(count(fs, [])),
        ):
            with pytest.raises(StorageError, match=r"^nextcloud:/d arrives damaged each time"):
                work()
    assert [path for path in tmp_path.rglob("*") if path.name in {"evil.txt", "f"}] == []


def test_an_answer_that_does_not_name_what_was_asked_for(fs, place):
    """It says nothing: neither that there is no such file, nor that a folder is empty."""
    fs.pipe_file("d/f", b"x")
    kept = stage("nextcloud:/d")
    fs = place.files(patience=0.3)
    with answers(place.passage, "PROPFIND", without("/d", "/d/f")):
        for work in (
            *(lambda do=do: do("d") for do in (fs.info, fs.ls, fs.exists, fs.isdir, fs.find)),
            lambda: stage("nextcloud:/d", filesystem=fs),
            lambda: fs.run(page(fs.client, "d")),
            lambda: fs.run(count(fs, [])),
        ):
            with pytest.raises(StorageError, match=r"^nextcloud:/d arrives damaged each time"):
                work()
    assert (kept / "f").read_bytes() == b"x"


def test_a_member_that_the_server_could_not_read_is_no_empty_file(fs, place):
    fs.pipe_file("d/sub/f", b"x")
    fs = place.files(patience=0.3)

    def alter(_: str, body: bytes) -> bytes:
        first, second = body.split(b"<d:response>")[1:3]
        href = second.partition(b"</d:href>")[0]
        told = href + b"</d:href><d:status>HTTP/1.1 403 Forbidden</d:status></d:response></d:multistatus>"
        return body.partition(b"<d:response>")[0] + b"<d:response>" + first + b"<d:response>" + told

    with answers(place.passage, "PROPFIND", alter), pytest.raises(StorageError, match="arrives damaged"):
        fs.ls("d")


def test_a_page_whose_files_are_gone_is_not_the_last(fs, place):
    fs.pipe({f"d/{number:02}": b"x" for number in range(25)})
    part = fs.run(page(fs.client, "d", None, 10))
    for number in range(9, 19):
        fs.rm_file(f"d/{number:02}")
    found = part.entries
    while part.following:
        part = fs.run(page(fs.client, "d", part.following, 10))
        found += part.entries
    assert {entry.name for entry in found} >= {f"{number:02}" for number in (*range(9), *range(19, 25))}


def test_a_path_with_empty_names_is_written_without_them(fs):
    assert normal("nextcloud:/p//q///r/") == "p/q/r"
    assert normal("nextcloud://p//q") == "p/q"
    fs.pipe({"p/q/cat/1": b"1", "p/q/bat/2": b"2"})
    copy = stage("nextcloud:/p//q")
    assert {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()} == {"cat/1", "bat/2"}
