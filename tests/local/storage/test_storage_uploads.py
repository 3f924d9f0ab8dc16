"""Chunked upload: whatever happens on the way, the old file stays until the new one is whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.local.storage.account import TLS, multistatus, propfind
from tests.local.storage.servers import embedded_only


class Upload:
    """One chunked upload of an account, begun."""

    def __init__(self, account, target: str = "/big.bin", name: str = "im-1", *, begin: bool = True) -> None:
        self.account = account
        self.target = target
        self.url = f"{account.server.url}/remote.php/dav/uploads/{account.uid}/{name}"
        if begin:
            assert self.send("MKCOL", "", Destination=account.url(target)).status_code == 201

    def send(self, method: str, chunk: str, content=None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.url}/{chunk}" if chunk else self.url
        return self.account.client.request(method, url, content=content, headers=named)

    def put(self, chunk: str, content: bytes, **headers: str) -> httpx.Response:
        return self.send("PUT", chunk, content, Destination=self.account.url(self.target), **headers)

    def finish(self, **headers: str) -> httpx.Response:
        return self.send("MOVE", ".file", **{"Destination": self.account.url(self.target)} | headers)

    def listing(self, chunk: str = "", depth: str = "1", body: bytes | None = None) -> dict:
        answer = self.send("PROPFIND", chunk, body, Depth=depth)
        assert answer.status_code == 207, answer.text
        return multistatus(answer.content, self.url.removeprefix(self.account.server.url))

    @property
    def folder(self):
        return self.account.server.disk / "uploads" / self.account.uid / self.url.rpartition("/")[2]


def test_chunks_become_one_file(alice):
    upload = Upload(alice)
    content = os.urandom(1_000_000)
    pieces = {"00001": content[:400_000], "00002": content[400_000:800_000], "00003": content[800_000:]}
    with ThreadPoolExecutor(3) as pool:
        put = list(pool.map(lambda piece: upload.put(*piece, OC_Total_Length="1000000").status_code, pieces.items()))
    assert put == [201] * 3
    assert alice.send("GET", "/big.bin").status_code == 404
    done = upload.finish(OC_Total_Length="1000000", X_OC_MTime="1650000000", OC_Checksum="SHA1:wrong")
    assert done.status_code == 201
    assert done.headers["X-OC-MTime"] == "accepted"
    assert done.headers["ETag"] == done.headers["OC-ETag"] == alice.etag("/big.bin")
    assert done.headers["OC-FileId"] == alice.properties("/big.bin", "oc:id")["oc:id"]
    answer = alice.send("GET", "/big.bin")
    assert answer.content == content
    assert answer.headers["Last-Modified"] == "Fri, 15 Apr 2022 05:20:00 GMT"
    assert answer.headers["OC-Checksum"] == "SHA1:wrong"
    assert upload.send("PROPFIND", "").status_code == 404
    assert not alice.server.is_own or not upload.folder.exists()


def test_chunks_go_in_natural_order(alice):
    upload = Upload(alice)
    for name in ["10", "2", "b", "1", "a1b", "a1b2"]:
        assert upload.put(name, f"<{name}>".encode()).status_code == 201
    assert upload.finish().status_code == 201
    assert alice.read("/big.bin") in (b"<a1b><a1b2><b><1><2><10>", b"<1><2><10><a1b><a1b2><b>")


def test_an_upload_is_resumed_by_what_its_listing_says(alice):
    upload = Upload(alice)
    upload.put("00001", b"x" * 10)
    upload.put("00002", b"y" * 5)
    found = upload.listing()
    assert {path: values.get("d:getcontentlength") for path, values in found.items()} == {
        "/": None,
        "/00001": "10",
        "/00002": "5",
        "/.file": "15",
    }
    assert list(upload.listing(depth="0")) == ["/"]
    assert upload.listing("00001", "0", propfind("d:getcontentlength", "oc:nothing")) == {
        "/00001": {"d:getcontentlength": "10"}
    }
    assert upload.send("PROPFIND", "00009").status_code == 404
    assert upload.send("PROPFIND", "", b"<no").status_code == 400
    again = upload.put("00002", b"z" * 5)
    assert (again.status_code, bool(again.headers["ETag"])) == (204, True)
    assert upload.finish(OC_Total_Length="15").status_code == 201
    assert alice.read("/big.bin") == b"x" * 10 + b"z" * 5


def test_the_uploads_of_a_user_are_not_listed(alice):
    Upload(alice, name="one")
    root = f"/remote.php/dav/uploads/{alice.uid}"
    assert alice.client.request("PROPFIND", alice.server.url + root).status_code == 405
    answer = alice.client.request("PROPFIND", alice.server.url + root, headers={"Depth": "0"})
    assert list(multistatus(answer.content, root)) == ["/"]


def test_a_wrong_sum_keeps_the_chunks(alice):
    upload = Upload(alice)
    upload.put("1", b"x" * 20)
    refused = upload.finish(OC_Total_Length="25")
    assert refused.status_code == 400
    assert "Chunks on server do not sum up to 25 but to 20 bytes" in refused.text
    assert upload.put("2", b"y" * 5).status_code == 201
    assert upload.finish(OC_Total_Length="25").status_code == 201


def test_a_chunk_that_breaks_off_is_not_kept(alice):
    upload = Upload(alice)
    upload.put("1", b"old")

    def broken():
        yield b"x" * 300_000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        upload.send("PUT", "1", broken(), Content_Length="900000")
    deadline = time.monotonic() + 10
    while upload.put("2", b"").status_code == 423 or alice.server.drafts():
        assert time.monotonic() < deadline
    assert {path: found.get("d:getcontentlength") for path, found in upload.listing().items()}["/1"] == "3"


STATUS = [
    ("MKCOL", "", {}, 405),
    ("DELETE", "", {}, 204),
    ("DELETE", "1", {}, 204),
    ("DELETE", "9", {}, 404),
    ("DELETE", ".file", {}, 204),
    ("PUT", ".file", {}, 403),
    ("PUT", "2/3", {}, 404),
    ("GET", "1", {}, 405),
    pytest.param(
        *("MOVE", "1", {"Destination": "/big.bin"}, 403),
        marks=embedded_only("a Nextcloud makes a file of a single chunk"),
    ),
    ("MOVE", ".file", {}, 400),
    ("MOVE", ".file", {"Destination": "/missing/big.bin"}, 409),
    ("MOVE", ".file", {"Destination": "/folder"}, 400),
    ("MOVE", ".file", {"Destination": "/x.part"}, 400),
    ("MOVE", ".file", {"Destination": "/old", "If-None-Match": "*"}, 412),
    ("MOVE", ".file", {"Destination": "/new", "If-None-Match": "*"}, 412),
    ("MOVE", ".file", {"Destination": "/old", "If-Match": "TAG"}, 412),
    ("MOVE", ".file", {"Destination": "/old", "Overwrite": "F"}, 412),
    ("MOVE", ".file", {"Destination": "/new", "Overwrite": "F"}, 201),
    ("MOVE", ".file", {"Destination": "/old", "If": '<OLD> (["wrong"])'}, 412),
    ("MOVE", ".file", {"Destination": "/old", "If": "<OLD> ([TAG])"}, 204),
    ("MOVE", ".file", {"Destination": "/old", "If": "([TAG])"}, 412),
    ("MOVE", ".file", {"Destination": "/old"}, 204),
    ("MOVE", ".file", {"Destination": "/old", "X-OC-MTime": "abc"}, 500),
    ("OPTIONS", "", {}, 200),
]


@pytest.mark.parametrize(("method", "chunk", "headers", "status"), STATUS)
def test_status(alice, method, chunk, headers, status):
    alice.send("MKCOL", "/folder")
    tag = alice.put("/old", b"old").headers["ETag"]
    upload = Upload(alice)
    upload.put("1", b"new")
    sent = {name: value.replace("TAG", tag).replace("OLD", alice.url("/old")) for name, value in headers.items()}
    if "Destination" in sent:
        sent["Destination"] = alice.url(sent["Destination"])
    assert upload.send(method, chunk, **sent).status_code == status
    stored = status in {201, 204, 500} and headers.get("Destination") == "/old"
    assert alice.read("/old") == (b"new" if stored else b"old")
    if status >= 400 and status != 500:
        assert "/1" in upload.listing()


def test_a_target_that_cannot_be_is_refused_at_the_first_chunk(alice):
    upload = Upload(alice, "/missing/big.bin")
    assert upload.put("1", b"x").status_code == 404
    assert upload.send("PUT", "1", b"x").status_code == 201
    assert upload.finish().status_code == 409


def test_without_an_upload_there_is_nothing_to_put_into(alice):
    upload = Upload(alice, begin=False)
    assert [upload.put("1", b"x").status_code, upload.finish().status_code] == [404, 404]


def test_the_uploads_of_others_are_closed(alice, bob):
    upload = Upload(alice)
    upload.put("1", b"secret")
    for method in ("PROPFIND", "PUT", "MOVE", "DELETE", "MKCOL"):
        answer = bob.client.request(method, f"{upload.url}/1", headers={"Destination": bob.url("/stolen")})
        assert answer.status_code == (409 if method == "MKCOL" else 404), method
    assert httpx.request("PROPFIND", upload.url, trust_env=False, verify=TLS).status_code == 401
    stolen = upload.send("MOVE", ".file", Destination=bob.url("/stolen"))
    assert stolen.status_code == 403
    assert list(bob.listing()) == ["/"]


def test_an_upload_into_a_received_share(alice, bob):
    alice.send("MKCOL", "/drop")
    alice.share("/drop", 0, bob.uid, permissions=31)
    upload = Upload(bob, "/drop/big.bin")
    assert upload.put("1", b"from bob").status_code == 201
    assert upload.finish().status_code == 201
    assert alice.read("/drop/big.bin") == b"from bob"


def test_the_quota(limited):
    alice = limited(1_024_000)
    alice.put("/big.bin", b"x" * 400_000)
    upload = Upload(alice)
    assert upload.put("1", b"y" * 1000, OC_Total_Length="624001").status_code == 507
    assert upload.put("1", b"y" * 400_000, OC_Total_Length="600000").status_code == 201
    assert upload.put("2", b"y" * 400_000).status_code == 201
    assert upload.finish().status_code == 507
    assert alice.read("/big.bin") == b"x" * 400_000
    assert upload.put("2", b"y" * 200_000).status_code == 204
    assert upload.finish().status_code == 204


def test_an_upload_goes_on_after_a_crash_and_an_abandoned_one_is_swept(start):
    server = start()
    alice = server.account("alice")
    upload, abandoned = Upload(alice), Upload(alice, name="abandoned")
    upload.put("1", b"one")
    server.end(signal.SIGKILL)
    os.utime(abandoned.folder, (1, time.time() - 25 * 3600))
    server.start()
    assert "/1" in upload.listing()
    upload.put("2", b"two")
    assert upload.finish().status_code == 201
    assert alice.read("/big.bin") == b"onetwo"
    assert not abandoned.folder.exists()


def test_a_kill_at_any_moment_of_the_last_step_leaves_the_old_file_or_the_new_one(start):
    server = start()
    alice = server.account("alice")
    moments = random.Random(4)
    seen = set()
    for attempt in range(6):
        old, new = os.urandom(1000), os.urandom(1 << 20) * 24
        alice.put("/big.bin", old)
        upload = Upload(alice, name=f"im-{attempt}")
        for number in range(3):
            upload.put(f"{number}", new[number << 23 : (number + 1) << 23])
        mover = threading.Thread(target=lambda upload=upload: _ignoring(upload.finish))
        mover.start()
        time.sleep(moments.uniform(0, 0.12))
        server.end(signal.SIGKILL)
        mover.join()
        server.start()
        content = alice.read("/big.bin")
        assert hashlib.sha256(content).digest() in {hashlib.sha256(whole).digest() for whole in (old, new)}
        if content == old:
            assert upload.finish(OC_Total_Length=str(len(new))).status_code == 204
            assert alice.read("/big.bin") == new
        seen.add(content == old)
        assert not server.drafts()
    assert True in seen


def _ignoring(call) -> None:
    with contextlib.suppress(httpx.HTTPError):
        call()


def test_two_last_steps_at_once_store_one_file(alice):
    upload = Upload(alice)
    upload.put("1", b"x" * 20_000_000)
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(lambda _: upload.finish(), range(4)))
    assert statuses[0] == 201
    assert set(statuses[1:]) <= {404, 423}
    assert len(alice.read("/big.bin")) == 20_000_000
