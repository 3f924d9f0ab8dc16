"""The Nextcloud drive's server part: a real Jupyter server beside a real storage, asked by HTTP."""

from __future__ import annotations

import base64
import hashlib
import http.client
import random
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Timer
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.storage.passage import Passage

from .drives import CHUNK, Drive
from .labs import notebook, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.local.storage.conftest import Server

NAMES = ["with space", "100% & 25%25", "a#b?c+d", "[x]*", "🐟.txt", "checkpoints", "ünï", 'it\'s "so"', "a:b"]
NAMES += ["nextcloud:notes.txt", "nextcloud:"]
SOMETHING = random.Random(0).randbytes(3 * CHUNK + 5)


def said(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    message: str = response.json()["message"]
    return message


@pytest.mark.parametrize("part", ["contents", "files"])
def test_nothing_is_told_to_who_is_not_signed_in(drive: Drive, part: str) -> None:
    drive.account.put("/secret.txt")
    url = f"{drive.lab.url}/imagine/nextcloud/{part}/secret.txt"
    for headers in ({}, {"Authorization": "token wrong"}):
        response = httpx.get(url, headers=headers, trust_env=False)
        assert response.status_code in (302, 403)
        assert b"hello" not in response.content
    assert drive.passage.seen == []


def test_a_folder_a_file_and_what_the_lab_needs_to_know(drive: Drive) -> None:
    drive.account.send("MKCOL", "/sub")
    drive.account.put("/a.txt", "Grüße".encode(), X_OC_MTime="1700000000")
    drive.account.put("/b.ipynb", notebook("# Hi").encode())
    root = drive.get()
    assert (root["type"], root["path"], root["total"], root["following"]) == ("directory", "", 3, None)
    found = {model["name"]: model for model in root["content"]}
    assert {name: (model["type"], model["size"]) for name, model in found.items()} == {
        "sub": ("directory", None),
        "a.txt": ("file", 7),
        "b.ipynb": ("notebook", len(notebook("# Hi"))),
    }
    assert found["a.txt"]["last_modified"] == "2023-11-14T22:13:20Z"
    text = drive.get("a.txt", type="file", format="text", content=1, hash=1)
    assert (text["content"], text["format"], text["mimetype"]) == ("Grüße", "text", "text/plain")
    assert text["hash"] == drive.account.etag("/a.txt").strip('"') == found["a.txt"]["hash"]
    assert drive.get("a.txt", content=0)["content"] is None
    cells = drive.get("b.ipynb", type="notebook")["content"]["cells"]
    assert [cell["source"] for cell in cells] == ["# Hi"]


def test_opening_is_one_request_and_a_list_two(drive: Drive) -> None:
    drive.account.put("/a.txt")
    drive.get()
    drive.passage.reset()
    drive.get("a.txt", type="file", format="text")
    assert dict(drive.passage.counts) == {"GET": 1}
    drive.passage.reset()
    drive.get()
    assert dict(drive.passage.counts) == {"PROPFIND": 2}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_every_kind(drive: Drive, name: str) -> None:
    assert drive.put(f"{name}/{name}", "first").status_code == 200  # and the folder is made
    model = drive.get(f"{name}/{name}", hash=1)
    assert (model["content"], model["path"], model["name"]) == ("first", f"{name}/{name}", name)
    assert drive.account.read(f"/{name}/{name}") == b"first"
    assert [entry["path"] for entry in drive.get(name)["content"]] == [f"{name}/{name}"]
    moved = drive.ask("PATCH", f"{name}/{name}", {"path": f"{name}/new {name}"}).json()
    assert moved["path"] == f"{name}/new {name}"
    assert drive.download(f"{name}/new {name}").content == b"first"
    assert drive.ask("DELETE", name).status_code == 204
    assert drive.get()["content"] == []


def test_a_name_in_the_other_spelling_is_the_same_file(drive: Drive) -> None:
    other = unicodedata.normalize("NFD", "ünï.txt")
    assert drive.put(other, "x").json()["path"] == "ünï.txt"
    assert drive.get(other, type="file")["content"] == "x"
    assert "exists already" in said(drive.put("ünï.txt", "y"), 409)


def test_a_name_that_begins_as_the_protocol_does_is_a_name(drive: Drive) -> None:
    names = ("notes.txt", "nextcloud:notes.txt")
    for name in names:
        assert drive.put(name, name).status_code == 200
    assert sorted(entry["path"] for entry in drive.get()["content"]) == sorted(names)
    assert [drive.download(name).content.decode() for name in names] == list(names)
    assert drive.download(names[1], "HEAD").headers["Content-Length"] == "19"
    assert drive.ask("PATCH", "nextcloud:notes.txt", {"path": "nextcloud:moved.txt"}).status_code == 200
    assert drive.ask("DELETE", "nextcloud:moved.txt").status_code == 204
    assert [entry["path"] for entry in drive.get()["content"]] == ["notes.txt"]


def test_nothing_leads_out_of_the_storage(drive: Drive) -> None:
    for path in ("a/%2e%2e/b", "..%2f..%2fetc/passwd"):
        response = httpx.get(
            f"{drive.lab.url}/imagine/nextcloud/contents/{path}",
            headers={"Authorization": f"token {drive.lab.token}"},
            trust_env=False,
        )
        assert "write the path out" in said(response, 409)


def test_what_someone_else_wrote_is_never_overwritten(drive: Drive) -> None:
    drive.account.put("/a.txt", b"mine")
    mine = drive.get("a.txt", type="file", hash=1)
    drive.account.put("/a.txt", b"theirs")
    sentence = "nextcloud:/a.txt was changed by someone else meanwhile and was not overwritten; look at both."
    assert said(drive.put("a.txt", "late", hash=mine["hash"]), 409) == sentence
    assert said(drive.put("a.txt", "unseen"), 409) == "nextcloud:/a.txt exists already: choose another name."
    assert said(drive.upload("a.txt", SOMETHING, hash=mine["hash"])[-1], 409) == sentence
    assert drive.account.read("/a.txt") == b"theirs"
    theirs = drive.get("a.txt", type="file", hash=1)
    saved = drive.put("a.txt", "both", hash=theirs["hash"]).json()
    assert saved["hash"] == drive.account.etag("/a.txt").strip('"')
    drive.account.send("DELETE", "/a.txt")
    assert said(drive.put("a.txt", "gone", hash=saved["hash"]), 409) == sentence
    assert drive.get()["content"] == []


def test_two_who_save_at_once(drive: Drive) -> None:
    drive.account.put("/a.txt", b"before")
    known = drive.get("a.txt", type="file", hash=1)["hash"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: drive.put("a.txt", f"{number}", hash=known), range(8)))
    assert sorted(answer.status_code for answer in answers).count(200) == 1
    winner = next(number for number, answer in enumerate(answers) if answer.status_code == 200)
    assert drive.account.read("/a.txt") == str(winner).encode()


def test_a_notebook_is_stored_as_jupyter_writes_it(drive: Drive) -> None:
    cells = [{"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None, "source": "1"}]
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    saved = drive.ask("PUT", "n.ipynb", {"type": "notebook", "format": "json", "content": content}).json()
    assert (saved["type"], saved["size"]) == ("notebook", len(drive.account.read("/n.ipynb")))
    found = drive.get("n.ipynb", type="notebook", hash=1)
    assert (found["hash"], found["content"]["cells"][0]["source"]) == (saved["hash"], "1")
    # It was saved here, and nobody has changed it since: what it draws may be shown.
    assert found["content"]["cells"][0]["metadata"]["trusted"]
    drive.account.put("/n.ipynb", drive.account.read("/n.ipynb").replace(b'"1"', b'"2"'))
    assert not drive.get("n.ipynb", type="notebook")["content"]["cells"][0]["metadata"].get("trusted")


def test_what_cannot_be_opened_says_why(drive: Drive) -> None:
    drive.account.put("/a.bin", b"\xff\x00")
    drive.account.put("/bad.ipynb", b"{ no notebook")
    answer = drive.ask("GET", "a.bin", params={"type": "file", "format": "text"})
    assert said(answer, 400).startswith("nextcloud:/a.bin is no text in UTF-8: ")
    assert base64.b64decode(drive.get("a.bin", type="file", format="base64")["content"]) == b"\xff\x00"
    answer = drive.ask("GET", "bad.ipynb", params={"type": "notebook"})
    assert said(answer, 400) == "nextcloud:/bad.ipynb is no notebook that can be read: open it with the text editor."
    assert said(drive.ask("GET", "100%.txt"), 404) == "nextcloud:/100%.txt does not exist: refresh the list."
    for content in (None, 3, "no base 64!"):
        assert "is damaged: save it again" in said(drive.put("c.txt", content, format="base64"), 400)
    assert drive.ask("PUT", "c.txt", [1]).status_code == 400
    assert drive.ask("GET", params={"following": "a:b\r\n:c"}).status_code == 400


def test_new_folders_files_and_copies_get_names_that_are_free(drive: Drive) -> None:
    for expected in ("Untitled Folder", "Untitled Folder 1"):
        assert drive.ask("POST", "", {"type": "directory"}).json()["name"] == expected
    assert drive.ask("POST", "Untitled Folder", {"type": "file", "ext": ".txt"}).json()["name"] == "untitled.txt"
    assert drive.ask("POST", "", {"type": "notebook"}).json()["name"] == "Untitled.ipynb"
    drive.account.put("/a.txt", b"a")
    for expected in ("a-Copy1.txt", "a-Copy2.txt"):
        assert drive.ask("POST", "", {"copy_from": "a.txt"}).json()["name"] == expected
        assert drive.account.read(f"/{expected}") == b"a"
    assert drive.ask("POST", "Untitled Folder", {"copy_from": "a.txt"}).json()["path"] == "Untitled Folder/a.txt"


def test_a_rename_leaves_alone_what_is_in_the_way(drive: Drive) -> None:
    drive.account.put("/a.txt", b"a")
    drive.account.put("/b.txt", b"b")
    answer = drive.ask("PATCH", "a.txt", {"path": "b.txt"})
    assert said(answer, 409) == "nextcloud:/b.txt exists already: choose another name."
    assert drive.account.read("/b.txt") == b"b"
    assert drive.ask("PATCH", "a.txt", {"path": "c.txt"}).json()["hash"] == drive.account.etag("/c.txt").strip('"')


def test_an_upload_by_chunks_is_stored_once_and_whole(drive: Drive) -> None:
    drive.get()
    drive.passage.reset()
    answers = drive.upload("deep/er/big.bin", SOMETHING, upload="one")
    assert [answer.status_code for answer in answers] == [200] * 4
    assert drive.account.read("/deep/er/big.bin") == SOMETHING
    assert answers[-1].json()["hash"] == drive.account.etag("/deep/er/big.bin").strip('"')
    assert drive.passage.counts["PUT"] <= 2  # the second when the folder was made
    drive.passage.reset()
    drive.upload("deep/er/two.bin", SOMETHING)
    assert dict(drive.passage.counts) == {"PUT": 1}


@pytest.mark.parametrize("agreed", [b"listed when it began", None])
def test_an_upload_replaces_what_its_user_agreed_to_and_nothing_later(drive: Drive, agreed: bytes | None) -> None:
    """The list goes on while the upload is on its way, and each chunk carries what is listed by then."""
    if agreed is not None:
        drive.account.put("/a.bin", agreed)
    listed = [entry["hash"] for entry in drive.get()["content"]]
    block = base64.b64encode(SOMETHING).decode()
    more = {"format": "base64", "upload": "one"}
    assert drive.put("a.bin", block, chunk=1, hash=(listed or [""])[0], **more).status_code == 200
    drive.account.put("/a.bin", b"of someone else")
    later = drive.account.etag("/a.bin").strip('"')
    assert drive.put("a.bin", block, chunk=2, hash=later, **more).status_code == 200
    sentence = "was not overwritten" if agreed else "exists already"
    assert sentence in said(drive.put("a.bin", block, chunk=-1, hash=later, **more), 409)
    assert drive.account.read("/a.bin") == b"of someone else"


def test_an_upload_outlasts_a_storage_that_is_busy_for_a_while(drive: Drive) -> None:
    drive.get()
    drive.passage.breaking(0, 1.0, ("busy",))
    rest = Timer(11, lambda: drive.passage.breaking(0, 0.0))
    rest.start()
    answers = drive.upload("a.bin", SOMETHING)
    rest.join()
    assert [answer.status_code for answer in answers[:3]] == [200] * 3
    # Who waits is told every ten seconds to go on waiting, which no proxy on the way cuts off.
    assert [answer.status_code for answer in answers[3:]] == [202, 200]
    assert drive.account.read("/a.bin") == SOMETHING
    assert answers[-1].json()["hash"] == drive.account.etag("/a.bin").strip('"')


class Narrow(Passage):
    """A passage that lets no large file through in one piece, and whose chunks are not put together at first."""

    full = True

    def _pass(self, handler, body: bytes):
        if handler.command == "PUT" and "/dav/files/" in handler.path and len(body) > 1000:
            return 413, [], b""
        if handler.command == "MOVE" and self.full:
            return 507, [], b""
        return super()._pass(handler, body)


def test_what_a_storage_has_of_an_upload_is_not_sent_again(drive: Drive) -> None:
    narrow = Narrow(drive.account.server.url)
    drive.link(url=narrow.url)
    content = SOMETHING + SOMETHING
    assert said(drive.upload("a.bin", content)[-1], 507).startswith("Your storage is full")
    narrow.full = False
    narrow.seen.clear()
    assert drive.upload("a.bin", content)[-1].status_code == 200
    assert [path for method, path, _ in narrow.seen if method == "PUT" and "/uploads/" in path] == []
    assert drive.account.read("/a.bin") == content
    narrow.close()


def test_two_uploads_of_one_name_do_not_mix(drive: Drive) -> None:
    first, second = (random.Random(seed).randbytes(2 * CHUNK) for seed in (1, 2))
    blocks = [
        (upload, base64.b64encode(content[at:][:CHUNK]).decode(), number)
        for at, number in ((0, 1), (CHUNK, -1))
        for upload, content in (("1", first), ("2", second))
    ]
    answers = [
        drive.put("same.bin", block, format="base64", chunk=number, upload=upload) for upload, block, number in blocks
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 409]
    assert drive.account.read("/same.bin") == first


def test_an_upload_with_a_hole_is_refused(drive: Drive) -> None:
    block = base64.b64encode(b"x" * 10).decode()
    assert drive.put("a.bin", block, format="base64", chunk=1).status_code == 200
    answer = drive.put("a.bin", block, format="base64", chunk=3)
    assert said(answer, 409) == "The upload of nextcloud:/a.bin was interrupted: upload it again."
    assert said(drive.put("a.bin", block, format="base64", chunk=-1), 409).endswith("upload it again.")
    assert drive.get()["content"] == []


def test_a_download_says_what_it_is_and_gives_parts(drive: Drive) -> None:
    drive.account.put("/ü 1.html", SOMETHING)
    answer = drive.download("ü 1.html")
    assert (answer.status_code, answer.content) == (200, SOMETHING)
    told = answer.headers
    assert told["Cache-Control"] == "private, no-cache"
    assert told["Content-Length"] == str(len(SOMETHING))
    assert told["Content-Disposition"] == "attachment; filename*=utf-8''%C3%BC%201.html"
    assert (told["Accept-Ranges"], told["X-Content-Type-Options"]) == ("bytes", "nosniff")
    assert told["Content-Security-Policy"].endswith("; sandbox")
    part = drive.download("ü 1.html", Range="bytes=5-9")
    assert (part.status_code, part.content) == (206, SOMETHING[5:10])
    assert part.headers["Content-Range"] == f"bytes 5-9/{len(SOMETHING)}"
    assert drive.download("ü 1.html", Range="bytes=-7").content == SOMETHING[-7:]
    assert drive.download("ü 1.html", Range="bytes=5-9", If_Range='"other"').content == SOMETHING
    assert drive.download("ü 1.html", If_None_Match=told["ETag"]).status_code == 304
    assert drive.download("ü 1.html", Range=f"bytes={len(SOMETHING)}-").status_code == 416
    head = drive.download("ü 1.html", "HEAD")
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", told["Content-Length"])


def test_an_empty_file_and_a_folder(drive: Drive) -> None:
    drive.account.put("/empty", b"")
    drive.account.send("MKCOL", "/sub")
    assert (drive.download("empty").status_code, drive.download("empty").content) == (200, b"")
    opened = drive.get("empty", type="file", format="text", hash=1)
    # The Lab compares it before it saves.
    assert (opened["content"], opened["hash"]) == ("", drive.account.etag("/empty").strip('"'))
    assert drive.put("empty", "no more", hash=opened["hash"]).status_code == 200
    assert said(drive.download("sub"), 400) == "nextcloud:/sub is a folder: download the files in it."
    assert said(drive.download("none"), 404) == "nextcloud:/none does not exist: refresh the list."


def test_a_download_that_breaks_goes_on_where_it_broke(drive: Drive) -> None:
    drive.account.put("/a.bin", SOMETHING)
    drive.get()
    drive.passage.breaking(3, 1.0, ("half an answer",))
    drive.passage.hook = lambda number: number >= 2 and drive.passage.breaking(3, 0.0)
    drive.passage.seen.clear()
    answer = drive.download("a.bin")
    assert answer.content == SOMETHING
    assert [headers.get("Range", "")[:6] for _, _, headers in drive.passage.seen] == ["", "bytes=", "bytes="]


def test_a_large_file_passes_without_being_kept(drive: Drive) -> None:
    drive.link(url=drive.account.server.url)
    content = SOMETHING * 100
    drive.account.put("/large.bin", content)
    drive.get()
    before = memory(drive)
    digest, most = hashlib.sha256(), 0
    headers = {"Authorization": f"token {drive.lab.token}"}
    url = f"{drive.lab.url}/imagine/nextcloud/files/large.bin"
    with httpx.stream("GET", url, headers=headers, trust_env=False, timeout=60) as answer:
        for block in answer.iter_raw():
            digest.update(block)
            most = max(most, memory(drive))
    assert digest.digest() == hashlib.sha256(content).digest()
    assert most - before < 64 * 2**20 < len(content)
    answer = drive.ask("GET", "large.bin", params={"type": "file", "format": "text"})
    assert said(answer, 413).startswith("nextcloud:/large.bin has 315 MB, too much to open here: download it, or ")


def test_a_file_that_is_too_large_is_not_fetched_to_say_so(drive: Drive) -> None:
    parts = []
    for size in (15, 127, 129):
        drive.account.put("/a.bin", bytes(size * 2**20))
        drive.passage.seen.clear()
        answer = drive.ask("GET", "a.bin", params={"type": "file", "format": "base64"})
        assert answer.status_code == (200 if size < 128 else 413)
        parts.append([told["Range"] for method, _, told in drive.passage.seen if method == "GET"])
    beginning, whole = f"bytes=0-{2**24 - 1}", f"bytes=0-{2**27 - 1}"
    assert parts == [[beginning], [beginning, whole], [beginning]]


def memory(drive: Drive) -> int:
    """Return the bytes of memory that the Lab's server takes."""
    status = Path(f"/proc/{drive.lab.pid}/status").read_text()
    return 1024 * int(status.partition("VmRSS:")[2].split()[0])


def test_a_browser_that_gives_a_download_up(drive: Drive) -> None:
    drive.link(url=drive.account.server.url)
    drive.account.put("/large.bin", SOMETHING * 30)
    headers = {"Authorization": f"token {drive.lab.token}"}
    url = f"{drive.lab.url}/imagine/nextcloud/files/large.bin"
    for _ in range(12):  # more than are under way at a time
        with httpx.stream("GET", url, headers=headers, trust_env=False, timeout=60) as answer:
            next(answer.iter_raw())
    assert [entry["name"] for entry in drive.get()["content"]] == ["large.bin"]


def test_downloads_that_nobody_reads_do_not_keep_the_rest_waiting(drive: Drive) -> None:
    drive.link(url=drive.account.server.url)
    drive.account.put("/large.bin", SOMETHING * 30)
    drive.get()
    url = f"{drive.lab.url}/imagine/nextcloud/files/large.bin"
    headers = {"Authorization": f"token {drive.lab.token}"}
    begun = []
    with ExitStack() as held:
        for _ in range(5):
            answer = held.enter_context(httpx.stream("GET", url, headers=headers, trust_env=False, timeout=60))
            begun.append(answer.iter_raw())
            next(begun[-1])
        with ThreadPoolExecutor(5) as pool:
            more = [pool.submit(drive.download, "large.bin") for _ in range(5)]
            listed = drive.ask("GET")
            assert (listed.status_code, listed.elapsed.total_seconds() < 5) == (200, True)
            assert drive.upload("up.bin", SOMETHING)[-1].status_code == 200
            sentence = "5 downloads from your Nextcloud are under way: start this one again when one has ended."
            assert [answer.result().status_code for answer in more] == [503] * 5
            assert {said(answer.result(), 503) for answer in more} == {sentence}
    assert drive.download("large.bin").status_code == 200


def test_a_list_and_a_save_wait_no_longer_than_they_say_behind_what_hangs(drive: Drive) -> None:
    drive.account.put("/slow.bin")
    drive.get()
    go_on, passage = Event(), drive.passage

    def opening() -> int:
        return sum("slow.bin" in path for _, path, _ in passage.seen)

    passage.hook = lambda number: "slow.bin" in passage.seen[number - 1][1] and go_on.wait(90)
    with ThreadPoolExecutor(12) as pool:
        opened = [pool.submit(drive.ask, "GET", "slow.bin", params={"type": "file"}) for _ in range(10)]
        try:
            wait_until(lambda: opening() == 4, 20, "the files are not being opened")
            refused = [pool.submit(drive.ask, "GET"), pool.submit(drive.put, "new.txt", "mine")]
            answers = [each.result() for each in refused]
        finally:
            go_on.set()
        assert sorted(each.result().status_code for each in opened) == [200] * 4 + [503] * 6
    for answer in answers:
        assert said(answer, 503) == (
            f"Your storage at {passage.url} is still busy with other requests of yours; "
            "try again when some of them have ended."
        )
        assert answer.elapsed.total_seconds() < 20
    assert [entry["name"] for entry in drive.get()["content"]] == ["slow.bin"]
    assert drive.put("new.txt", "mine").status_code == 200


def test_a_folder_of_many_comes_in_pages(drive: Drive) -> None:
    drive.account.send("MKCOL", "/many")
    for number in range(2500):
        (drive.account.home / "many" / f"{number:04}.txt").touch()
    page = drive.get("many")
    names, sizes = [entry["name"] for entry in page["content"]], [len(page["content"])]
    while page["following"]:
        page = drive.get("many", following=page["following"])
        names += [entry["name"] for entry in page["content"]]
        sizes.append(len(page["content"]))
        assert page["total"] == 2500
    assert sorted(names) == [f"{number:04}.txt" for number in range(2500)]
    assert len(sizes) == 3 and max(sizes) <= 1000


class Older(Passage):
    """A passage to a server that says it is of a version without pages."""

    @staticmethod
    def _send(handler, status: int, headers, content: bytes, cut: bool = False) -> None:
        Passage._send(handler, status, headers, re.sub(rb'"major": ?[0-9]+', b'"major": 30', content), cut)


def test_a_server_without_pages_lists_in_one_piece(drive: Drive) -> None:
    many = drive.account.home / "many"
    drive.account.send("MKCOL", "/many")
    for number in range(2500):
        (many / f"{number:04}.txt").touch()
    older = Older(drive.account.server.url)
    drive.link(url=older.url)
    folder = drive.get("many")
    assert (len(folder["content"]), folder["total"], folder["following"]) == (2500, 2500, None)
    lists = [told for method, _, told in older.seen if method == "PROPFIND" and told["Depth"] == "1"]
    assert ["X-NC-Paginate" in told for told in lists] == [False]
    older.close()


def test_a_folder_that_has_not_changed_is_not_listed_again(drive: Drive) -> None:
    drive.account.send("MKCOL", "/many")
    known = drive.get("many")["hash"]
    drive.passage.reset()
    assert drive.get("many", unless=known)["content"] is None
    assert dict(drive.passage.counts) == {"PROPFIND": 1}
    drive.account.put("/many/new.txt")
    changed = drive.get("many", unless=known)
    assert ([entry["name"] for entry in changed["content"]], changed["hash"] != known) == (["new.txt"], True)


def test_another_site_gets_nothing_and_changes_nothing(drive: Drive) -> None:
    drive.account.put("/a.txt")
    with httpx.Client(base_url=drive.lab.url, trust_env=False) as browser:
        browser.get("/lab", params={"token": drive.lab.token}, follow_redirects=True)
        at = "/imagine/nextcloud"
        assert browser.get(f"{at}/files/a.txt").status_code == 403
        assert browser.put(f"{at}/contents/b.txt", json={"type": "file", "content": "x"}).status_code == 403
        assert browser.delete(f"{at}/contents/a.txt").status_code == 403
        token = browser.cookies["_xsrf"]
        assert browser.get(f"{at}/files/a.txt", params={"_xsrf": token}).content == b"hello"
        elsewhere = {"Origin": "http://evil.example", "X-XSRFToken": token}
        assert browser.get(f"{at}/contents/a.txt", headers=elsewhere).status_code == 404
        assert browser.delete(f"{at}/contents/a.txt", headers={"X-XSRFToken": token}).status_code == 204


def test_without_a_credential_it_says_where_to_link(drive: Drive) -> None:
    told = drive.credential.read_text()
    drive.credential.unlink()
    sentence = "No storage is linked to this server: link yours at /base/hub/imagine/storage, then go on here."
    for answer in (drive.ask("GET"), drive.put("a", "b"), drive.ask("DELETE", "a"), drive.download("a")):
        assert said(answer, 424) == sentence
    drive.credential.write_text("{")
    assert said(drive.ask("GET"), 424) == sentence
    drive.credential.write_text(told)
    assert drive.get()["content"] == []


def test_a_dead_credential_is_tried_once_and_a_new_one_at_once(drive: Drive) -> None:
    drive.get()
    drive.account.put("/a.txt")
    good = drive.account.password
    drive.link(password="revoked")
    drive.passage.reset()
    sentence = (
        "Your storage no longer lets this server in: link it again at /base/hub/imagine/storage, then go on here."
    )
    for answer in (drive.ask("GET"), drive.ask("GET"), drive.put("b.txt", "b"), drive.download("a.txt")):
        assert said(answer, 424) == sentence
    assert len(drive.passage.seen) == 1
    drive.link(password=good)
    assert [entry["name"] for entry in drive.get()["content"]] == ["a.txt"]


def test_the_storage_of_another_account_takes_the_place_of_the_first(drive: Drive, server: Server) -> None:
    drive.account.put("/first.txt")
    drive.get()
    other = server.account()
    other.put("/second.txt")
    drive.link(user=other.uid, password=other.password)
    assert [entry["name"] for entry in drive.get()["content"]] == ["second.txt"]


def test_a_storage_that_is_down_is_said_soon(drive: Drive) -> None:
    drive.get()
    drive.link(url="http://127.0.0.1:9")
    answer = drive.ask("GET")
    assert said(answer, 503) == "Your storage at http://127.0.0.1:9 does not answer; try again in a moment."
    assert answer.elapsed.total_seconds() < 10
    drive.link()
    assert drive.get()["content"] == []


def test_a_full_storage_is_said(drive: Drive, start: Callable[..., Server]) -> None:
    full = start(IMAGINE_STORAGE_QUOTA="1000")
    account = full.account()
    drive.link(url=full.url, user=account.uid, password=account.password)
    sentence = "Your storage is full: nextcloud:/a.bin was not written; delete something first."
    assert said(drive.put("a.bin", "x" * 2000), 507) == sentence
    assert said(drive.upload("a.bin", SOMETHING)[-1], 507) == sentence
    assert drive.get()["content"] == []


def test_a_share_to_read_only(drive: Drive, server: Server) -> None:
    owner = server.account()
    owner.send("MKCOL", "/theirs")
    owner.put("/theirs/a.txt")
    owner.share("/theirs", 0, drive.account.uid, permissions=1)
    assert [entry["writable"] for entry in drive.get()["content"]] == [False]
    assert [entry["writable"] for entry in drive.get("theirs")["content"]] == [False]
    assert drive.get("", content=0)["writable"]
    known = drive.get("theirs/a.txt", type="file", hash=1)
    assert known["content"] == "hello"
    sentence = "You may not change nextcloud:/theirs/a.txt: it is read-only for you."
    assert said(drive.put("theirs/a.txt", "mine", hash=known["hash"]), 403) == sentence
    assert said(drive.ask("DELETE", "theirs/a.txt"), 403) == sentence
    assert owner.read("/theirs/a.txt") == b"hello"


def test_a_file_that_is_locked(drive: Drive) -> None:
    drive.account.put("/a.txt")
    with being_written(drive, "/a.txt"):
        answer = drive.put("a.txt", "mine", hash=drive.account.etag("/a.txt").strip('"'))
    assert said(answer, 423) == "nextcloud:/a.txt is being changed by another program; try again in a moment."
    assert drive.account.read("/a.txt") == b"hello"


@contextmanager
def being_written(drive: Drive, path: str) -> Iterator[None]:
    """Hold a file as a slow upload does, which is given up at the end."""
    account = drive.account
    connection = http.client.HTTPConnection("127.0.0.1", account.server.port, timeout=30)
    connection.putrequest("PUT", account.root + path)
    connection.putheader("Authorization", account.basic)
    connection.putheader("Content-Length", "100")
    connection.endheaders(b"half")
    incoming = account.server.state / "incoming"
    wait_until(lambda: any(incoming.iterdir()), 10, "the upload did not arrive")
    yield
    connection.close()
