"""Listings of any size: as they arrive, page by page, or whole."""

from __future__ import annotations

import http.server
import threading
import time
import tracemalloc

import pytest

from imagine_lib.storage import Credential, NextcloudFileSystem
from imagine_lib.storage.listing import arriving, page

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
