"""Files on their way in: whole with the right hash, or not at all."""

from __future__ import annotations

import hashlib
import resource
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hub_config.platform import PREFIX
from tests.platform.conftest import until

MEGABYTE = 1024**2


def begin_upload(platform: Any, content: bytes, announced: int) -> socket.socket:
    """Send the head of an upload and a part of its body."""
    digest = hashlib.sha256(content).hexdigest()
    host, _, port = platform.address.partition(":")
    connection = socket.create_connection((host, int(port)))
    head = [f"PUT {PREFIX}/blobs/{digest} HTTP/1.1", f"Host: {platform.address}", f"Content-Length: {announced}"]
    head += [f"Authorization: token {platform.neighbours.user('rosa')}", "", ""]
    connection.sendall("\r\n".join(head).encode() + content)
    return connection


def test_a_file_is_new_once_for_each_user(platform: Any) -> None:
    rosa, eve = platform.user("rosa"), platform.user("eve")
    content = b"x" * 3 * MEGABYTE
    statuses = [user.put_blob(content).status_code for user in (rosa, rosa, eve, eve)]
    assert statuses == [201, 200, 201, 200]
    assert platform.blob(content).read_bytes() == content
    assert not platform.left()
    assert rosa.put_blob(b"").status_code == 201


def test_a_file_with_another_hash_is_refused(platform: Any) -> None:
    rosa = platform.user("rosa")
    wrong = "0" * 64
    answer = rosa.put_blob(b"content", wrong)
    received = hashlib.sha256(b"content").hexdigest()
    assert answer.status_code == 422
    assert answer.json()["received"] == received
    assert answer.json()["detail"] == f"What arrived has the SHA-256 {received} and not {wrong}: send the file again."
    assert not platform.left()
    assert not list(platform.store.glob("blobs/*/*"))


def test_an_upload_that_is_cut_off_leaves_nothing(platform: Any) -> None:
    content = b"y" * 2 * MEGABYTE
    connection = begin_upload(platform, content, 2 * len(content))
    until(platform.left)
    connection.close()
    until(lambda: not platform.left())
    assert not platform.blob(content).exists()
    assert platform.user("rosa").put_blob(content).status_code == 201


def test_writers_of_one_file_do_not_disturb_each_other(platform: Any) -> None:
    content = b"z" * 2 * MEGABYTE
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda n: platform.user(f"user{n}").put_blob(content).status_code, range(8)))
    assert statuses == [201] * 8
    assert platform.blob(content).read_bytes() == content
    assert not platform.left()


def test_length_is_asked_for_and_limited(platform: Any) -> None:
    rosa = platform.user("rosa")
    address = f"/blobs/{'0' * 64}"
    assert rosa.put(address, content=iter([b"a", b"b"])).status_code == 411
    too_long = begin_upload(platform, b"", 64 * MEGABYTE + 1)
    too_long.settimeout(20)
    with too_long, too_long.makefile("rb") as stream:
        answer = stream.read().decode()  # the connection is closed: what would follow is not read
    assert answer.startswith("HTTP/1.1 413 ")
    assert "The file has 67,108,865 bytes and may have 67,108,864: shrink it." in answer


@pytest.mark.parametrize(
    "sha256",
    ["..%2f..%2fetc%2fpasswd", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65, "%00" * 64, "0" * 5000, "é" * 64],
)
def test_hostile_hashes_are_refused(platform: Any, sha256: str) -> None:
    answer = platform.user("rosa").put(f"/blobs/{sha256}", content=b"x")
    assert answer.status_code in (404, 405, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert not platform.store.exists() or not list(platform.store.rglob("*"))


def test_nobody_uploads_without_a_token(platform: Any) -> None:
    assert platform.client().put_blob(b"x").status_code == 401
    assert not platform.store.exists()


def test_a_full_disk_is_said_and_leaves_nothing(serve: Any) -> None:
    limit = 4 * MEGABYTE
    _, platform = serve(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    rosa = platform.user("rosa")
    answer = rosa.put_blob(b"x" * 6 * MEGABYTE)
    assert answer.status_code == 507
    assert answer.json()["detail"] == (
        "The model store is full and nothing was kept: tell the operators, then try again."
    )
    assert not platform.left()
    assert not list(platform.store.glob("blobs/*/*"))
    assert rosa.put_blob(b"small").status_code == 201


def test_a_killed_api_leaves_no_half_file_under_its_hash(serve: Any) -> None:
    process, platform = serve()
    content = b"y" * 2 * MEGABYTE
    connection = begin_upload(platform, content, 2 * len(content))
    until(platform.left)
    process.send_signal(signal.SIGKILL)
    process.wait()
    connection.close()
    assert not platform.blob(content).exists()
    serve(again=platform)
    rosa = platform.user("rosa")
    assert rosa.put_blob(content).status_code == 201
    assert rosa.publish("m").status_code == 201


def test_a_folder_that_cannot_be_written_is_said(platform: Any) -> None:
    platform.store.write_bytes(b"a file where the store should be")
    answer = platform.user("rosa").put_blob(b"x")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "The model store does not answer at the moment: try again in a minute."
