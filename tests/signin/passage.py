"""What stands between the hub and its IAM in these tests: counts, holds, and lets the network fail on request."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "date", "server"}


class Hold:
    """One request on its way to the IAM, that waits."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.arrived, self.released, self.answered = (threading.Event() for _ in range(3))


class Passage:
    """A reverse proxy on 127.0.0.1.

    Parameters
    ----------
    upstream
        Address of the IAM itself.
    """

    def __init__(self, upstream: str) -> None:
        self.fault = ""
        """A status, ``slow`` (30 s an answer), ``cut`` (no answer at all); empty: none."""
        self.only = ""
        """The fault hits paths with this in them."""
        self.counts: Counter[str] = Counter()
        self.grants: list[tuple[dict[str, str], dict[str, Any]]] = []
        """The requests for tokens that the IAM has answered, and what it said."""
        self._hold: Hold | None = None
        self._upstream = upstream
        passage = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version: ClassVar[str] = "HTTP/1.1"

            def do_GET(self) -> None:
                passage._pass(self)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def holding(self, kind: str) -> Iterator[threading.Event]:
        """Let the next request of a kind wait until the block ends; yield what says that it is there."""
        hold = self._hold = Hold(kind)
        try:
            yield hold.arrived
        finally:
            hold.released.set()
        assert hold.answered.wait(30)

    def _pass(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.split("?")[0]
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        kind = path + (" refresh" if b"grant_type=refresh_token" in body else "")
        self.counts[kind] += 1
        if (hold := self._hold) is None or hold.kind not in kind:
            self._forward(request, kind, body)
            return
        self._hold = None
        hold.arrived.set()
        hold.released.wait(60)
        try:
            self._forward(request, kind, body)
        finally:
            hold.answered.set()

    def _forward(self, request: BaseHTTPRequestHandler, kind: str, body: bytes) -> None:
        fault = self.fault if self.only in kind else ""
        if fault == "cut":
            request.connection.shutdown(socket.SHUT_RDWR)
            return
        if fault.isdigit():
            request.send_response(int(fault))
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if fault == "slow":
            time.sleep(30)
        headers = {key: value for key, value in request.headers.items() if key.lower() not in HOP_BY_HOP}
        with httpx.Client(trust_env=False, timeout=60) as client:
            answer = client.request(request.command, self._upstream + request.path, content=body, headers=headers)
        if "/oauth/token" in kind:
            self.grants.append((dict(parse_qsl(body.decode())), answer.json()))
        request.send_response(answer.status_code)
        for key, value in answer.headers.multi_items():
            if key.lower() not in HOP_BY_HOP:
                request.send_header(key, value)
        request.send_header("Content-Length", str(len(answer.content)))
        with suppress(ConnectionError):  # who asked may have gone while the request was held
            request.end_headers()
            request.wfile.write(answer.content)
