"""Whatever breaks in the middle: the old file stays, the new one is whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.local.storage.servers import break_off, embedded_only

SOON = 2.0


def half_a_put(account, path: str, sent: int, said: int):
    """Begin an upload and leave it there."""
    connection = account.server.connect()
    head = f"PUT {account.root}{path} HTTP/1.1\r\nHost: {account.server.host}\r\nAuthorization: {account.basic}\r\n"
    connection.sendall(f"{head}Content-Length: {said}\r\n\r\n".encode() + b"n" * sent)
    return connection


def wait_for(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_until_begun(server) -> None:
    """Wait until the server has what was sent; where nobody can look at its disk, for a while."""
    if server.is_own:
        wait_for(server.drafts)
    else:
        time.sleep(SOON)


def seen(account) -> dict[str, dict[str, str | None]]:
    """Return what is in a home; on a Nextcloud, an upload that failed gives the folder a new tag."""
    found = account.listing("/", "d:getetag", "oc:id")
    if not account.server.is_own:
        del found["/"]["d:getetag"]
    return found


IN_PLACE = embedded_only("a Nextcloud writes over the old file as the new one arrives")


@pytest.mark.parametrize("old", [pytest.param(b"old", marks=IN_PLACE), None])
def test_an_upload_that_breaks_off(server, alice, old):
    if old:
        alice.put("/f", old)
    before = seen(alice)
    connection = half_a_put(alice, "/f", 600_000, 2_000_000)
    wait_until_begun(server)
    assert seen(alice) == before
    answer = break_off(connection)
    assert answer.startswith(b"HTTP/1.1 400") or (not server.is_own and not answer)
    connection.close()
    if server.is_own:
        wait_for(lambda: not server.drafts())
    else:
        time.sleep(SOON)
    assert seen(alice) == before
    assert (alice.read("/f") == old) if old else (alice.send("GET", "/f").status_code == 404)


@embedded_only("behind PHP without a buffer, a Nextcloud stores nothing of a body of unknown length, and says 201")
def test_an_upload_in_chunks_is_stored_whole_or_not_at_all(server, alice):
    def blocks():
        for number in range(50):
            yield bytes([number]) * 10_000

    assert alice.put("/f", blocks()).status_code == 201
    assert alice.read("/f") == b"".join(blocks())
    head = f"PUT {alice.root}/f HTTP/1.1\r\nHost: {server.host}\r\nAuthorization: {alice.basic}\r\n"
    head += "Transfer-Encoding: chunked\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(head.encode() + b"5\r\nhello\r\n")
        assert break_off(connection).startswith(b"HTTP/1.1 400")
    assert alice.read("/f") == b"".join(blocks())


def test_kill_in_the_middle_of_an_upload(start):
    server = start()
    alice = server.account("alice")
    tag = alice.put("/f", b"old").headers["ETag"]
    connections = [half_a_put(alice, path, 600_000, 2_000_000) for path in ("/f", "/new")]
    wait_for(lambda: sum(path.endswith("draft") for path in server.drafts()) == 2)
    server.end(signal.SIGKILL)
    for connection in connections:
        connection.close()
    server.start()
    assert alice.read("/f") == b"old"
    assert alice.listing("/", "d:getetag")["/f"] == {"d:getetag": tag}
    assert list(alice.listing()) == ["/", "/f"]
    assert [path.name for path in alice.home.iterdir()] == ["f"]
    assert server.drafts() == []


def test_a_restart_keeps_everything(start):
    server = start()
    alice, bob = server.account("alice"), server.account("bob")
    alice.send("MKCOL", "/d")
    alice.put("/d/f", OC_Checksum="SHA1:1", X_OC_MTime="1700000000")
    link, share = alice.share("/d", 3), alice.share("/d", 0, bob.uid)
    names = ("oc:id", "oc:checksums", "d:getetag", "d:getlastmodified")
    before = alice.listing("/", *names, depth="infinity"), bob.listing("/", *names, depth="infinity")
    assert server.end() == 0
    server.start()
    assert (alice.listing("/", *names, depth="infinity"), bob.listing("/", *names, depth="infinity")) == before
    assert server.raw("GET", f"/public.php/dav/files/{link['token']}/f") == (200, b"hello")
    assert [known["id"] for known in alice.ocs("GET", "apps/files_sharing/api/v1/shares")[1]] == [
        link["id"],
        share["id"],
    ]


def test_a_lost_database_loses_no_file(start):
    server = start()
    alice = server.account("alice")
    alice.put("/f", b"kept")
    server.end()
    for path in server.state.glob("storage.sqlite*"):
        path.unlink()
    server.start()
    again = server.account(uid=alice.uid)
    assert again.read("/f") == b"kept"


def test_a_file_larger_than_the_disk_takes(start):
    server = start(limit_bytes=1_000_000)
    alice = server.account("alice")
    alice.put("/f", b"old")
    for path in ("/f", "/new"):
        answer = alice.put(path, b"n" * 5_000_000)
        assert answer.status_code == 507
        assert "InsufficientStorage" in answer.text
    assert alice.read("/f") == b"old"
    assert list(alice.listing()) == ["/", "/f"]
    assert alice.put("/g", b"still works").status_code == 201
    assert server.drafts() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_is_full(start, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
    server = start(state=disk / "state")
    try:
        alice = server.account("alice")
        alice.put("/f", b"old")
        alice.put("/big", b"b" * 3_500_000)
        for path in ("/f", "/new"):
            assert alice.put(path, b"n" * 4_000_000).status_code == 507
        assert alice.move("/big", "/copy", "COPY").status_code == 507
        assert alice.read("/f") == b"old"
        assert list(alice.listing()) == ["/", "/big", "/f"]
        assert alice.send("DELETE", "/big").status_code == 204
        assert alice.put("/new", b"n" * 3_000_000).status_code == 507
        trash = f"{server.url}/remote.php/dav/trashbin/{alice.uid}/trash"
        assert alice.client.request("DELETE", trash).status_code == 204
        assert alice.put("/new", b"n" * 3_000_000).status_code == 201
    finally:
        server.end()
        subprocess.run(["umount", disk], check=True)


def test_the_quota(limited):
    alice = limited(1_024_000)
    assert alice.put("/f", b"x" * 600_000).status_code == 201
    too_much = alice.put("/g", b"x" * 600_000)
    assert too_much.status_code == 507
    assert "Insufficient space in /g" in too_much.text
    assert alice.put("/g", b"x", OC_Total_Length="600000").status_code == 507
    assert alice.move("/f", "/g", "COPY").status_code == 507
    assert list(alice.listing()) == ["/", "/f"]
    assert alice.put("/f", b"y" * 424_001).status_code == 507  # there must be room for it beside the old one
    assert alice.put("/f", b"y" * 400_000).status_code == 204
    found, quota = alice.listing()["/"], alice.ocs("GET", "cloud/user")[1]["quota"]
    assert int(found["d:quota-used-bytes"]) + int(found["d:quota-available-bytes"]) == 1024000
    assert (quota["free"] + quota["used"], quota["total"], quota["quota"]) == (1024000, 1024000, 1024000)
    if alice.server.is_own:  # a Nextcloud counts anew every five minutes
        assert (found["d:quota-used-bytes"], quota["used"], quota["relative"]) == ("400000", 400000, 39.06)
    assert alice.send("DELETE", "/f").status_code == 204
    assert alice.put("/g", b"x" * 1_024_000).status_code == 201


@embedded_only("behind PHP without a buffer, a Nextcloud stores nothing of a body of unknown length, and says 201")
def test_the_quota_holds_for_a_body_of_unknown_length(limited):
    alice = limited(1_024_000)
    assert alice.put("/g", iter([b"x" * 600_000] * 2)).status_code == 507
    assert list(alice.listing()) == ["/"]


def test_the_quota_refuses_before_it_reads(start):
    server = start(IMAGINE_STORAGE_QUOTA="1000")
    alice = server.account("alice")
    connection = half_a_put(alice, "/f", 0, 900)
    wait_for(lambda: server.drafts())
    other = half_a_put(alice, "/g", 0, 900)
    other.sendall(b"x" * 900)
    assert other.recv(65536).startswith(b"HTTP/1.1 507")
    connection.sendall(b"x" * 900)
    assert connection.recv(65536).startswith(b"HTTP/1.1 201")


def test_twelve_uploads_of_one_file(alice):
    contents = {bytes([number]) * 1_500_000 for number in range(12)}
    seen: set[bytes] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            answer = alice.send("GET", "/same.bin")
            if answer.status_code == 200:
                seen.add(answer.content)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda content: alice.put("/same.bin", content).status_code, contents))
    done.set()
    watcher.join()
    assert set(statuses) <= ({201, 204, 423} if alice.server.is_own else {201, 204, 403, 423})
    assert statuses.count(201) == 1
    assert seen <= contents
    assert alice.read("/same.bin") in contents
    assert list(alice.listing()) == ["/", "/same.bin"]


def test_a_file_being_written_is_locked_with_the_folders_above_it(server, alice):
    alice.send("MKCOL", "/d")
    connection = half_a_put(alice, "/d/f", 100, 200)
    wait_until_begun(server)
    answers = [alice.put("/d/f"), alice.send("DELETE", "/d"), alice.move("/d", "/e")]
    assert [answer.status_code for answer in answers] == [423, 423, 423 if server.is_own else 500]
    assert all(" is locked" in answer.text for answer in answers)
    assert all("Exception\\FileLocked" in answer.text for answer in answers if answer.status_code == 423)
    assert alice.put("/d/g").status_code == 201
    connection.sendall(b"n" * 100)
    assert connection.recv(65536).startswith(b"HTTP/1.1 201")
    assert alice.move("/d", "/e").status_code == 201


def test_many_at_once(alice):
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: alice.send("MKCOL", "/race").status_code, range(12)))
        put = list(pool.map(lambda number: alice.put(f"/race/{number}", b"%d" % number).status_code, range(200)))
        read = list(pool.map(lambda number: alice.read(f"/race/{number}"), range(200)))
    assert made.count(201) == 1
    assert set(made) <= ({201, 405} if alice.server.is_own else {201, 403, 405, 423})
    assert set(put) == {201}
    assert read == [b"%d" % number for number in range(200)]
    ids = [found["oc:id"] for found in alice.listing("/race", "oc:id").values()]
    assert len(set(ids)) == 201
