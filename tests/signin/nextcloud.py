"""A Nextcloud of a few lines, which does as the test says: it keeps its word, or does not."""

from __future__ import annotations

import base64
import itertools
import json
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OK = {"ocs": {"meta": {"status": "ok", "statuscode": 200}, "data": []}}


@dataclass
class Request:
    """What the hub asked."""

    method: str
    path: str
    host: str
    program: str
    login: str = ""
    password: str = ""
    bearer: str = ""
    refused: bool = False


@dataclass
class Nextcloud:
    """One account, and what the server says of it."""

    certificate: Path | None = None
    id: Any = "7f3a-of-the-directory"
    login: str = "7f3a-of-the-directory"
    """The name that the account signs in by."""
    passwords: set[str] = field(default_factory=set)
    granted: bool = False
    says: dict[str, Any] = field(default_factory=dict)
    """Answers in place of its own, by the path's end: a document, or a function that writes to the request."""
    asked: list[Request] = field(default_factory=list)
    host: str = "127.0.0.1"
    port: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        nextcloud = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version: ClassVar[str] = "HTTP/1.1"

            def do_GET(self) -> None:
                nextcloud.answer(self)

            do_POST = do_DELETE = do_GET

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the hub has hung up, as it should
        self.port = self._server.server_port
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://{self.host}:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def attempts(self) -> list[str]:
        """Return the passwords that were tried in vain."""
        return [one.password for one in self.asked if one.refused]

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        form = parse_qs(request.rfile.read(int(request.headers.get("Content-Length") or 0)).decode())
        path = request.path.split("?")[0].removeprefix("/index.php")
        seen = Request(request.command, path, request.headers["Host"], request.headers.get("User-Agent", ""))
        kind, _, value = (request.headers.get("Authorization") or "").partition(" ")
        if kind == "Basic":
            seen.login, _, seen.password = base64.b64decode(value).decode().partition(":")
        seen.bearer = value if kind == "Bearer" else ""
        self.asked.append(seen)
        for end, said in self.says.items():
            if path.endswith(end):
                if callable(said):
                    said(request)
                else:
                    respond(request, 200, said)
                return
        respond(request, *self._own_answer(seen, form))

    def _own_answer(self, asked: Request, form: dict[str, list[str]]) -> tuple[int, Any]:
        opens = (asked.login == self.login and asked.password in self.passwords) or asked.bearer == "of-the-iam"
        match asked.method, asked.path:
            case "POST", "/login/v2":
                endpoint, login = f"{self.url}/login/v2/poll", f"{self.url}/login/v2/flow/{next(self.numbers)}"
                return 200, {"poll": {"token": "poll-token", "endpoint": endpoint}, "login": login}
            case "POST", "/login/v2/poll" if self.granted and form["token"] == ["poll-token"]:
                self.granted = False
                return 200, {"server": self.url, "loginName": self.login, "appPassword": self.new_password()}
            case "POST", "/login/v2/poll":
                return 404, []
            case _ if not opens:
                asked.refused = True
                return 401, {"ocs": {"meta": {"statuscode": 997}, "data": []}}
            case "GET", "/ocs/v2.php/cloud/user":
                return 200, {"ocs": {"data": {"id": self.id, "displayname": "Rosa"}}}
            case "GET", "/ocs/v2.php/core/getapppassword":
                return 200, {"ocs": {"data": {"apppassword": self.new_password()}}}
            case "DELETE", "/ocs/v2.php/core/apppassword":
                self.passwords.discard(asked.password)
                return 200, OK
        return 404, {}

    def new_password(self) -> str:
        password = f"app-password-{next(self.numbers):04}"
        self.passwords.add(password)
        return password


def respond(request: BaseHTTPRequestHandler, status: int, document: Any, **headers: str) -> None:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def drip(request: BaseHTTPRequestHandler) -> None:
    """Answer a byte a second, for ever."""
    request.send_response(200)
    request.send_header("Content-Length", "1000000")
    request.end_headers()
    while True:
        request.wfile.write(b" ")
        request.wfile.flush()
        time.sleep(0.2)


def flood(request: BaseHTTPRequestHandler) -> None:
    """Answer without end."""
    request.send_response(200)
    request.send_header("Content-Length", str(10**12))
    request.end_headers()
    while True:
        request.wfile.write(bytes(65_536))


def inflate(request: BaseHTTPRequestHandler) -> None:
    """Answer with a little that would be a gigabyte."""
    import gzip

    respond(request, 200, gzip.compress(bytes(64 * 1024**2)), Content_Encoding="gzip")
