"""A folder as one archive, and long listings in pages: what is large takes no memory and starts at once."""

from __future__ import annotations

import io
import os
import random
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from hub_config.local.storage.archive import archive
from tests.local.storage.account import TLS, multistatus, propfind
from tests.local.storage.servers import embedded_only

ODD = ["a b", "ö", "e\u0301"[0] + "x", "🐟", "100%", "a#b?", "日本語"]


def opened(answer: httpx.Response) -> dict[str, bytes]:
    found = zipfile.ZipFile(io.BytesIO(answer.content))
    assert found.testzip() is None
    assert {info.compress_type for info in found.infolist()} == {zipfile.ZIP_STORED}
    return {info.filename: found.read(info) for info in found.infolist()}


def peak(server) -> int:
    """Return the most memory that the server's process ever held, in bytes."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def test_the_archive_holds_the_tree_with_its_names_and_times(alice):
    wanted = {"set/": b"", "set/empty/": b""}
    alice.send("MKCOL", "/set")
    alice.send("MKCOL", "/set/empty")
    for name in ODD:
        alice.send("MKCOL", f"/set/{name}")
        content = os.urandom(1000)
        alice.put(f"/set/{name}/{name}.jpg", content, X_OC_MTime="1700000000")
        wanted |= {f"set/{name}/": b"", f"set/{name}/{name}.jpg": content}
    answer = alice.send("GET", "/set", Accept="application/zip")
    assert opened(answer) == wanted
    infos = zipfile.ZipFile(io.BytesIO(answer.content)).infolist()
    assert {info.date_time for info in infos if info.file_size} == {(2023, 11, 14, 22, 13, 20)}
    assert all(info.flag_bits & 0x808 == 0x808 for info in infos if info.file_size and not info.filename.isascii())


def test_the_archive_of_a_home_holds_received_shares(alice, bob):
    alice.send("MKCOL", "/given")
    alice.put("/given/f", b"1")
    alice.share("/given", 0, bob.uid, permissions=1)
    bob.put("/own", b"2")
    found = opened(bob.send("GET", "/", Accept="application/zip"))
    assert found == {"download/": b"", "files/own": b"2", "files/given/": b"", "files/given/f": b"1"}


def test_the_archive_of_a_public_link(server, alice):
    alice.send("MKCOL", "/given")
    alice.put("/given/ö.txt", b"1")
    link = alice.share("/given", 3)
    address = f"{server.url}/public.php/dav/files/{link['token']}"
    for query, headers in (("", {"Accept": "application/zip"}), ("?accept=zip", {})):
        answer = httpx.get(address + query, headers=headers, trust_env=False, verify=TLS)
        assert opened(answer) == {"given/": b"", "given/ö.txt": b"1"}
    page = httpx.get(f"{server.url}/s/{link['token']}/download", trust_env=False, verify=TLS, follow_redirects=True)
    assert opened(page) == {"given/": b"", "given/ö.txt": b"1"}


def test_files_that_come_and_go_meanwhile_break_no_archive(alice):
    alice.send("MKCOL", "/set")
    folder = alice.home / "set"
    for number in range(200):
        (folder / f"{number:03d}").write_bytes(b"x" * 100_000)
    numbers = random.Random(1)
    done = threading.Event()

    def disturb() -> None:
        while not done.is_set():
            path = folder / f"{numbers.randrange(200):03d}"
            path.unlink(missing_ok=True)
            with (folder / f"{numbers.randrange(200):03d}").open("ab") as file:
                file.write(b"y" * 1000)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(5):
            assert len(opened(alice.send("GET", "/set", Accept="application/zip"))) > 50
    finally:
        done.set()
        thread.join()


def test_a_file_that_is_gone_when_its_turn_comes_is_left_out(tmp_path):
    (tmp_path / "there").write_bytes(b"1")

    def entry(name: str, *members: SimpleNamespace) -> SimpleNamespace:
        node = SimpleNamespace(disk=str(tmp_path / name))
        return SimpleNamespace(name=name, node=node, is_folder=name == "set", modified=0, members=lambda: members)

    blocks = archive(entry("set", entry("gone"), entry("there")), "set")
    with zipfile.ZipFile(io.BytesIO(b"".join(blocks))) as found:
        assert {name: found.read(name) for name in found.namelist()} == {"set/": b"", "set/there": b"1"}


def test_an_archive_beyond_four_gigabytes(alice):
    alice.send("MKCOL", "/set")
    with (alice.home / "set" / "a").open("wb") as file:
        file.truncate(4_400_000_000)
    (alice.home / "set" / "b").write_bytes(b"after")
    received, tail = 0, b""
    with alice.client.stream("GET", alice.url("/set"), headers={"Accept": "application/zip"}) as answer:
        for block in answer.iter_raw(1 << 20):
            received += len(block)
            tail = (tail + block)[-100_000:]
    (alice.home / "set" / "a").unlink()
    assert received > 4_400_000_000
    directory = tail.index(b"PK\x01\x02")
    assert b"PK\x06\x06" in tail
    assert b"after" in tail[:directory]
    assert int.from_bytes(tail[-22 + 16 : -22 + 20], "little") == 0xFFFFFFFF


def test_an_archive_nobody_reads_on_is_given_up(server, alice):
    alice.send("MKCOL", "/set")
    with (alice.home / "set" / "a").open("wb") as file:
        file.truncate(1_000_000_000)
    for _ in range(20):
        with alice.client.stream("GET", alice.url("/set"), headers={"Accept": "application/zip"}) as answer:
            next(answer.iter_raw())
    assert alice.send("GET", "/").status_code == 200
    deadline = time.monotonic() + 10
    while any(str(alice.home) in str(_target(link)) for link in Path(f"/proc/{server.process.pid}/fd").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _target(link: Path) -> Path | None:
    try:
        return link.readlink()
    except OSError:
        return None


def pages(account, path: str, count: int, *names: str, depth: str = "1"):
    """Yield the paths of each page."""
    headers = {"Depth": depth, "X-NC-Paginate": "true", "X-NC-Paginate-Count": str(count)}
    offset = 0
    while True:
        body = propfind(*names) if names else None
        answer = account.client.request("PROPFIND", account.url(path), content=body, headers=headers)
        assert (answer.status_code, answer.headers["X-NC-Paginate"]) == (207, "true")
        if not offset:
            headers["X-NC-Paginate-Token"] = answer.headers["X-NC-Paginate-Token"]
            total = int(answer.headers["X-NC-Paginate-Total"])
        found = multistatus(answer.content, account.root)
        if not found:
            assert offset >= total
            return
        yield list(found)
        offset += count
        headers["X-NC-Paginate-Offset"] = str(offset)


@pytest.mark.parametrize("depth", ["1", "infinity"])
def test_pages_are_the_listing(alice, depth):
    for folder in ("/d", "/d/ö", "/d/ö/deep"):
        alice.send("MKCOL", folder)
        for number in range(7):
            alice.put(f"{folder}/{number} #", b"")
    whole = list(alice.listing("/d", depth=depth))
    for count in (1, 5, 100):
        found = list(pages(alice, "/d", count, "d:getetag", "oc:fileid", depth=depth))
        assert [path for page in found for path in page] == whole
        assert {len(page) for page in found[:-1]} <= {count}


def test_pages_of_a_root_hold_received_shares(alice, bob):
    alice.send("MKCOL", "/given")
    alice.share("/given", 0, bob.uid)
    bob.put("/own")
    assert [path for page in pages(bob, "/", 1) for path in page] == ["/", "/own", "/given/"]


def test_a_listing_in_pages_stays_the_same_while_the_folder_changes(alice):
    for number in range(6):
        alice.put(f"/{number}")
    reading = pages(alice, "/", 2)
    seen = next(reading)
    alice.send("DELETE", "/3")
    alice.put("/00")
    removed = [] if alice.server.is_own else ["/3"]  # a Nextcloud tells of it as it was
    assert [path for page in [seen, *reading] for path in page] == ["/", "/0", "/1", "/2", *removed, "/4", "/5"]


def test_a_token_that_is_not_known_begins_anew(alice, bob):
    alice.put("/f")
    bob.put("/g")
    headers = {"X-NC-Paginate": "true", "X-NC-Paginate-Count": "1", "Depth": "1"}
    token = alice.client.request("PROPFIND", alice.url(), headers=headers).headers["X-NC-Paginate-Token"]
    for stranger in ("nonsense", token):
        again = headers | {"X-NC-Paginate-Token": stranger, "X-NC-Paginate-Offset": "1"}
        answer = bob.client.request("PROPFIND", bob.url(), headers=again)
        assert list(multistatus(answer.content, bob.root)) == ["/g"]
        assert answer.headers["X-NC-Paginate-Token"] != stranger


@embedded_only("a Nextcloud takes it for no number")
def test_a_count_below_nothing_is_refused(alice):
    headers = {"X-NC-Paginate": "true", "Depth": "1"}
    refused = alice.client.request("PROPFIND", alice.url(), headers=headers | {"X-NC-Paginate-Count": "-5"})
    assert refused.status_code == 400


def test_without_the_header_nothing_is_paged(alice):
    answer = alice.send("PROPFIND", "/", X_NC_Paginate_Count="1")
    assert "X-NC-Paginate" not in answer.headers
    assert "nc-paginate" in alice.send("OPTIONS").headers["DAV"]


def test_a_hundred_thousand_entries(start, record_property):
    server = start()
    alice = server.account("alice")
    folder = alice.home / "many"
    folder.mkdir()
    for number in range(100_000):
        os.close(os.open(folder / f"image_{number:06d}.jpg", os.O_CREAT | os.O_WRONLY))
    alice.listing("/", "d:getcontentlength")
    before = peak(server)
    began = time.monotonic()
    reading = pages(alice, "/many", 500, "d:getetag", "d:getcontentlength", "d:getlastmodified")
    assert len(next(reading)) == 500
    first = time.monotonic() - began
    names = {path for page in reading for path in page}
    paged = time.monotonic() - began
    assert len(names) == 99_501
    received = 0
    with alice.client.stream("PROPFIND", alice.url("/many"), headers={"Depth": "1"}) as answer:
        for block in answer.iter_raw():
            received += block.count(b"<d:response>")
    whole = time.monotonic() - began - paged
    grown = (peak(server) - before) / 1e6
    record_property("figures", {"first": first, "paged": paged, "whole": whole, "MB": grown})
    print(f"first page {first:.2f} s, all pages {paged:.1f} s, in one answer {whole:.1f} s, {grown:.0f} MB")
    assert received > 99_000
    assert first < 2
    assert grown < 60


def test_the_tag_of_a_large_folder(start):
    server = start()
    alice = server.account("alice")
    (alice.home / "many" / "below").mkdir(parents=True)
    for number in range(10_001):
        (alice.home / "many" / f"{number}").touch()
    alice.put("/many/below/f")
    seen = {alice.etag("/many")}
    whole = alice.properties("/many", "oc:size", "d:getetag")["d:getetag"]
    assert {whole, alice.etag("/many"), alice.listing("/", "d:getetag")["/many/"]["d:getetag"]} == seen
    modified = '<d:propertyupdate xmlns:d="DAV:"><d:set><d:prop><d:lastmodified>1700000000</d:lastmodified></d:prop></d:set></d:propertyupdate>'
    changes = [
        lambda: alice.put("/many/7", b"new"),
        lambda: alice.put("/many/7", b"wen"),
        lambda: alice.send("DELETE", "/many/8"),
        lambda: alice.move("/many/9", "/many/9 moved"),
        lambda: alice.put("/many/below/f", b"new"),
        lambda: (alice.home / "many" / "below" / "f").write_bytes(b"disk"),
        lambda: alice.send("PROPPATCH", "/many/10", modified),
    ]
    for change in changes:
        change()
        assert alice.etag("/many") not in seen
        seen.add(alice.etag("/many"))
