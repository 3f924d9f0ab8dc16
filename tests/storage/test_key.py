"""The key: never tried twice, never sent elsewhere, taken anew when it changes."""

from __future__ import annotations

import http.server
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from imagine_lib.errors import StorageError
from imagine_lib.storage import Credential, NextcloudFileSystem

EMPTY = b'<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"/>'


class Scripted:
    """A server that answers as it is told, and remembers what it was asked."""

    def __init__(self, answer) -> None:
        self.asked: list[tuple[str, str, str | None]] = []
        scripted = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __getattr__(self, name: str):
                if not name.startswith("do_"):
                    raise AttributeError(name)
                return self.respond

            def respond(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                scripted.asked.append((self.command, self.path, self.headers.get("Authorization")))
                status, headers, body = answer(self)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def scripted(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGINE_CACHE", str(tmp_path / "cache"))
    made = []

    def scripted(answer) -> Scripted:
        made.append(Scripted(answer))
        return made[-1]

    yield scripted
    for one in made:
        one.server.shutdown()


def files(server: Scripted, **options) -> NextcloudFileSystem:
    return NextcloudFileSystem(
        Credential(url=server.url, user="u", password="secret"), **{"patience": 0.5, **options}
    )


def test_a_wrong_password_is_tried_once_by_all_together(scripted):
    server = scripted(lambda _: (401, {}, b""))
    fs = files(server)

    def ask(number: int) -> str:
        with pytest.raises(StorageError) as error:
            (fs if number % 2 else files(server)).cat_file(f"f{number}")
        return str(error.value)

    with ThreadPoolExecutor(1) as pool:
        ask(0)
        messages = set(pool.map(ask, range(20)))
    assert len(server.asked) == 1
    (message,) = messages
    assert message.startswith("Your storage no longer accepts this server's credential; link your storage again")
    assert "secret" not in message


def test_many_requests_at_once_try_a_wrong_password_once(scripted):
    server = scripted(lambda _: (401, {}, b""))
    with pytest.raises(StorageError):
        files(server).cat([f"f{number}" for number in range(30)])
    assert len(server.asked) == 1


def test_linking_anew_repairs_a_running_notebook(place):
    fs = place.files()
    fs.pipe_file("f", b"x")
    place.write_credential(password="wrong")
    for _ in range(3):
        with pytest.raises(StorageError, match="no longer accepts"):
            fs.cat_file("f")
    assert place.passage.counts == {"PUT": 1, "GET": 1}
    place.write_credential()
    assert fs.cat_file("f") == b"x"
    place.write_credential(user="someone-else")
    with pytest.raises(StorageError, match="Another storage has been linked meanwhile"):
        fs.cat_file("f")


def test_a_refused_key_stays_untried_until_it_is_linked_anew(place, monkeypatch):
    place.write_credential(password="revoked")

    def ask() -> int:
        """Ask as two programs of the user, later and later; return how often the storage was asked by then."""
        for _ in range(2):
            with pytest.raises(StorageError, match="no longer accepts"):
                place.files().cat_file("f")
        now = time.time()
        monkeypatch.setattr("imagine_lib.storage.credentials.time.time", lambda: now + 7200)
        return len(place.passage.seen)

    assert [ask() for _ in range(3)] == [1, 1, 1]
    place.write_credential(password="revoked")  # it may have been let in again meanwhile
    assert [ask() for _ in range(3)] == [2, 2, 2]


def test_a_refused_key_that_is_in_no_file_rests_for_half_an_hour(scripted, monkeypatch):
    server = scripted(lambda _: (401, {}, b""))
    for moment in (1800.0, 1801.0, 3599.0, 3600.0):
        monkeypatch.setattr("imagine_lib.storage.credentials.time.time", lambda moment=moment: moment)
        with pytest.raises(StorageError, match="no longer accepts"):
            files(server).cat_file("f")
    assert len(server.asked) == 2


def test_the_key_never_leaves_for_another_address(scripted):
    thief = scripted(lambda _: (200, {"ETag": '"1"'}, b"stolen"))
    server = scripted(lambda request: (302, {"Location": f"{thief.url}{request.path}"}, b""))
    with pytest.raises(StorageError, match="where your key is not sent: link the storage at its true address"):
        files(server).cat_file("f")
    assert thief.asked == []


def test_a_redirect_within_the_server_is_followed(scripted):
    def answer(request):
        if request.path.startswith("/moved"):
            return 200, {"ETag": '"1"'}, b"here"
        return 307, {"Location": f"/moved{request.path}"}, b""

    server = scripted(answer)
    assert files(server).cat_file("f") == b"here"
    assert len(server.asked) == 2
    looping = scripted(lambda request: (307, {"Location": request.path}, b""))
    with pytest.raises(StorageError, match="points from one address to the next without end: tell its operator"):
        files(looping).cat_file("f")


def test_a_token_is_renewed_once(scripted, monkeypatch):
    tokens = iter(["old", "new", "newer"])
    server = scripted(
        lambda request: (
            (200, {"ETag": '"1"'}, b"x") if request.headers["Authorization"] == "Bearer new" else (401, {}, b"")
        )
    )
    monkeypatch.setattr("imagine_lib.storage.credentials.iam_token", lambda _: next(tokens))
    fs = NextcloudFileSystem(Credential(url=server.url, user="u", bearer=True))
    assert fs.cat_file("f") == b"x"
    assert [authorization for _, _, authorization in server.asked] == ["Bearer old", "Bearer new"]
    server.asked.clear()
    monkeypatch.setattr("imagine_lib.storage.credentials.iam_token", lambda _: "old")
    with pytest.raises(StorageError, match="no longer accepts"):
        fs.cat_file("f")
    assert len(server.asked) == 1


def test_a_lock_out_is_left_alone(scripted):
    server = scripted(lambda _: (429, {}, b""))
    fs = files(server)
    for _ in range(3):
        with pytest.raises(StorageError, match="takes no requests from this workspace for some minutes"):
            fs.cat_file("f")
    assert len(server.asked) == 1


def test_a_busy_server_is_waited_for_as_long_as_it_says(scripted):
    def answer(_):
        if len(server.asked) < 3:
            return 429, {"Retry-After": "1"}, b""
        return 200, {"ETag": '"1"'}, b"x"

    server = scripted(answer)
    assert files(server).cat_file("f") == b"x"
    never = scripted(lambda _: (503, {"Retry-After": "86400"}, b""))
    with pytest.raises(StorageError):
        files(never).cat_file("f")


def test_a_disabled_account_is_told_from_a_busy_server(scripted):
    server = scripted(lambda request: (401 if "/ocs/" in request.path else 503, {}, b""))
    with pytest.raises(StorageError, match=r"is disabled: ask the operator of that storage to open it again\.$"):
        files(server).cat_file("f")
    assert len(server.asked) == 2


def test_parts_that_are_not_what_was_asked_for_are_not_taken(scripted):
    content = bytes(range(100))

    def whole(_):
        return 200, {"ETag": '"1"'}, content

    assert files(scripted(whole)).cat_file("f", 10, 20) == content[10:20]

    def wrong(_):
        return 206, {"ETag": '"1"', "Content-Range": "bytes 0-9/100"}, content[:10]

    with pytest.raises(StorageError, match="arrives damaged each time"):
        files(scripted(wrong)).cat_file("f", 10, 20)


@pytest.mark.parametrize("listing", [b"", b"<html>", EMPTY[:-4], b'<!DOCTYPE x [<!ENTITY e "e">]>' + EMPTY])
def test_a_listing_that_makes_no_sense_is_no_empty_one(scripted, listing):
    with pytest.raises(StorageError):
        files(scripted(lambda _: (207, {"Content-Type": "application/xml"}, listing))).ls("d")


def test_a_key_is_not_printed(scripted):
    credential = Credential(url="http://x", user="u", password="secret")
    assert "secret" not in f"{credential!r} {json.dumps(credential.model_dump(mode='json'))}"
