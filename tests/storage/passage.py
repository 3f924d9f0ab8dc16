"""A passage to a storage server that counts what goes through and, if told to, breaks it in every way a network can.

Bodies are damaged only where they are files: a damaged listing cannot be told from another listing by anyone.
"""

from __future__ import annotations

import http.client
import http.server
import random
import socketserver
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

FAULTS = (
    "close before",
    "close after",
    "late",
    "half an answer",
    "half a request",
    "twice",
    "damaged answer",
    "damaged request",
    "busy",
    "bad gateway",
)
CARRYING = {"GET", "PUT", "POST"}


class Passage:
    """A proxy in front of a server.

    Parameters
    ----------
    target
        Address of the server.
    """

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.counts: Counter[str] = Counter()
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.hook = None
        """Called with the number of requests so far, before each is passed on."""
        self._random = random.Random(0)
        self._rate, self._faults = 0.0, FAULTS
        self._lock = threading.Lock()
        passage = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (OSError, http.client.HTTPException, ValueError):
                    self.close_connection = True

            def __getattr__(self, name: str):
                if name.startswith("do_"):
                    return lambda: passage.answer(self)
                raise AttributeError(name)

            def log_message(self, *_: object) -> None: ...

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None: ...

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def breaking(self, seed: int, rate: float, faults: tuple[str, ...] = FAULTS) -> None:
        """Break some of what follows."""
        self._random, self._rate, self._faults = random.Random(seed), rate, faults

    def reset(self) -> None:
        self.counts.clear()
        self.seen.clear()
        self._rate = 0.0

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length)
        if len(body) < length:
            handler.close_connection = True
            return
        with self._lock:
            self.counts[handler.command] += 1
            self.seen.append((handler.command, handler.path, dict(handler.headers)))
            number = len(self.seen)
            fault = self._random.choice(self._faults) if self._random.random() < self._rate else ""
            place = self._random.random()
        if self.hook:
            self.hook(number)
        if fault == "close before":
            handler.close_connection = True
            return
        if fault in {"busy", "bad gateway"}:
            self._send(handler, 503 if fault == "busy" else 502, [], b"")
            return
        if fault == "late":
            time.sleep(0.9)
        if fault == "half a request" and body:
            self._pass_half(handler, body)
            handler.close_connection = True
            return
        sent = body
        if fault == "damaged request" and body and handler.command in CARRYING:
            sent = damaged(body, place)
        status, headers, content = self._pass(handler, sent)
        if fault == "twice":
            status, headers, content = self._pass(handler, sent)
        if fault == "close after":
            handler.close_connection = True
            return
        is_file = handler.command == "GET" and status < 300 and not handler.path.startswith("/ocs")
        if fault == "damaged answer" and content and is_file:
            content = damaged(content, place)
        cut = fault == "half an answer" and len(content) > 1
        self._send(handler, status, headers, content, cut)

    def _connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self.target.scheme == "https" else http.client.HTTPConnection
        return kind(self.target.hostname or "", self.target.port, timeout=120)

    def _pass(self, handler, body: bytes):
        connection = self._connection()
        try:
            headers = {name: value for name, value in handler.headers.items() if name.lower() != "connection"}
            headers["Host"] = self.target.netloc
            connection.request(handler.command, handler.path, body or None, headers)
            answer = connection.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP]
            return answer.status, kept, answer.read()
        finally:
            connection.close()

    def _pass_half(self, handler, body: bytes) -> None:
        connection = self._connection()
        connection.putrequest(handler.command, handler.path, skip_accept_encoding=True, skip_host=True)
        for name, value in handler.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body[: len(body) // 2])
        connection.close()

    @staticmethod
    def _send(handler, status: int, headers, content: bytes, cut: bool = False) -> None:
        handler.send_response_only(status)
        length = next((value for name, value in headers if name.lower() == "content-length"), str(len(content)))
        for name, value in headers:
            if name.lower() != "content-length":
                handler.send_header(name, value)
        handler.send_header("Content-Length", length if handler.command == "HEAD" else str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: len(content) // 2] if cut else content)
        handler.close_connection = handler.close_connection or cut


HOP = {"connection", "transfer-encoding", "keep-alive"}


def damaged(content: bytes, place: float) -> bytes:
    """Return content with one bit turned."""
    position = int(place * len(content))
    return content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]
