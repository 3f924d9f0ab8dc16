"""The real server as a real process on a free port, an IAM of a few lines, and accounts that speak to it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import http.server
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.etree import ElementTree

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

PROJECT = Path(__file__).resolve().parents[3]
NAMESPACES = {"d": "DAV:", "oc": "http://owncloud.org/ns", "nc": "http://nextcloud.org/ns"}
NUMBERS = itertools.count(1)


SECRET = "a-client-secret-of-a-test"


class IAM:
    """An issuer with discovery, keys and tokens, where everyone who comes is signed in already, as ``person``."""

    def __init__(self) -> None:
        self.keys: dict[str, rsa.RSAPrivateKey] = {}
        self.person = "rosa"
        self.nonce: str | None = None
        self.asked: dict[str, str] = {}
        self.token_status = 200
        self.rotate()
        iam = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/authorize?"):
                    self.send_response(302)
                    self.send_header("Location", iam.authorize(self.path))
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                else:
                    self.answer(200, iam.document(self.path))

            def do_POST(self) -> None:
                form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                self.answer(*iam.redeem(form, self.headers["Authorization"]))

            def answer(self, status: int, document: Any) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def rotate(self) -> None:
        self.keys[f"key{len(self.keys)}"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def document(self, path: str) -> dict[str, Any]:
        if path.startswith("/.well-known"):
            return {
                "issuer": self.url,
                "jwks_uri": self.url + "/jwks",
                "authorization_endpoint": self.url + "/authorize",
                "token_endpoint": self.url + "/token",
            }
        keys = [
            json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": kid}
            for kid, key in self.keys.items()
        ]
        return {"keys": keys}

    def authorize(self, path: str) -> str:
        """Sign the person in, and return where the browser goes back to."""
        self.asked = dict(parse_qsl(urlsplit(path).query))
        return f"{self.asked['redirect_uri']}?code=good&state={self.asked['state']}"

    def redeem(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, str]]:
        """Give an ID token for the code, if everything about it is right."""
        digest = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
        login = httpx.BasicAuth("imagine-storage", SECRET)._auth_header
        fits = digest.rstrip("=") == self.asked["code_challenge"] and authorization == login
        if not fits or form["code"] != "good" or form["redirect_uri"] != self.asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        nonce = self.nonce or self.asked["nonce"]
        return self.token_status, {"id_token": self.token(self.person, aud="imagine-storage", nonce=nonce)}

    def token(self, uid: str, key: rsa.RSAPrivateKey | None = None, **claims: Any) -> str:
        kid = list(self.keys)[-1]
        now = int(time.time())
        standard = {
            "iss": self.url,
            "aud": ["imagine-storage", "hub"],
            "exp": now + 300,
            "iat": now,
            "sub": f"s-{uid}",
        }
        person = {"preferred_username": uid, "name": uid.title(), "groups": ["imagine-users"]}
        return jwt.encode(standard | person | claims, key or self.keys[kid], algorithm="RS256", headers={"kid": kid})


@dataclass
class Server:
    """A running storage server."""

    state: Path
    environment: dict[str, str]
    iam: IAM
    limit_bytes: int | None = None
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self.log = self.state.parent / f"{self.state.name}.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Server:
        limit = "import resource,sys,runpy;"
        if self.limit_bytes:
            limit += f"resource.setrlimit(resource.RLIMIT_FSIZE,({self.limit_bytes},{self.limit_bytes}));"
        limit += (
            "sys.argv=['storage'];runpy.run_module('hub_config.local.storage',run_name='__main__',alter_sys=True)"
        )
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT),
            "IMAGINE_STORAGE_STATE": str(self.state),
            "IMAGINE_STORAGE_URL": self.url,
            "IMAGINE_IAM_URL": self.iam.url,
            "IMAGINE_STORAGE_BRUTE_FORCE": "off",
            **self.environment,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", limit], env=environment, stderr=log, stdout=log, cwd=self.state.parent
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(self.url + "/status.php", trust_env=False, verify=False)
                return self
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(20)

    def account(self, name: str = "user", *, uid: str = "", **claims: Any) -> Account:
        """Sign a new user up and give them an app password."""
        uid = uid or f"{name}{next(NUMBERS)}"
        token = self.iam.token(uid, **claims)
        with httpx.Client(trust_env=False, verify=False) as client:
            answer = client.get(
                f"{self.url}/ocs/v2.php/core/getapppassword?format=json",
                headers={"OCS-APIRequest": "true", "Authorization": f"Bearer {token}"},
            )
        return Account(self, uid, answer.json()["ocs"]["data"]["apppassword"])

    def raw(self, method: str, target: str, account: Account | None = None, **headers: str) -> tuple[int, bytes]:
        """Send a request whose target is not touched by any client's good manners."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        authorised = {"Authorization": account.basic} if account else {}
        try:
            connection.request(method, target, headers=authorised | headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@dataclass
class Account:
    """A user with an app password."""

    server: Server
    uid: str
    password: str
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(auth=(self.uid, self.password), trust_env=False, verify=False, timeout=60)

    @property
    def basic(self) -> str:
        return httpx.BasicAuth(self.uid, self.password)._auth_header

    @property
    def root(self) -> str:
        return f"/remote.php/dav/files/{self.uid}"

    @property
    def home(self) -> Path:
        return self.server.state / "data" / self.uid / "files"

    def url(self, path: str = "/") -> str:
        return self.server.url + self.root + quote(path)

    def send(self, method: str, path: str = "/", content: Any = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, self.url(path), content=content, headers=named)

    def put(self, path: str, content: Any = b"hello", **headers: str) -> httpx.Response:
        return self.send("PUT", path, content, **headers)

    def move(self, source: str, target: str, method: str = "MOVE", **headers: str) -> httpx.Response:
        return self.send(method, source, Destination=self.url(target), **headers)

    def read(self, path: str) -> bytes:
        answer = self.send("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.content

    def etag(self, path: str) -> str:
        return self.properties(path, "d:getetag")["d:getetag"] or ""

    def properties(self, path: str, *names: str) -> dict[str, str | None]:
        """Return some properties of one resource; what is not there is not in the answer."""
        return next(iter(self.listing(path, *names, depth="0").values()))

    def listing(self, path: str = "/", *names: str, depth: str = "1") -> dict[str, dict[str, str | None]]:
        """Return properties by decoded path below the home."""
        answer = self.send("PROPFIND", path, propfind(*names) if names else None, Depth=depth)
        assert answer.status_code == 207, answer.text
        return multistatus(answer.content, self.root)

    def ocs(self, method: str, path: str, /, **fields: Any) -> tuple[int, Any]:
        answer = self.client.request(
            method,
            f"{self.server.url}/ocs/v2.php/{path}",
            data=fields if method in {"POST", "PUT"} else None,
            params=fields if method == "GET" else None,
            headers={"OCS-APIRequest": "true", "Accept": "application/json"},
        )
        return answer.status_code, answer.json()["ocs"]["data"] if answer.content else None

    def share(self, path: str, kind: int, receiver: str = "", /, **fields: Any) -> Any:
        status, data = self.ocs(
            "POST", "apps/files_sharing/api/v1/shares", path=path, shareType=kind, shareWith=receiver, **fields
        )
        assert status == 200, data
        return data


def propfind(*names: str) -> bytes:
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    wanted = "".join(f"<{name}/>" for name in names)
    return f"<d:propfind {declared}><d:prop>{wanted}</d:prop></d:propfind>".encode()


def multistatus(document: bytes, root: str = "") -> dict[str, dict[str, str | None]]:
    found: dict[str, dict[str, str | None]] = {}
    short = {uri: prefix for prefix, uri in NAMESPACES.items()}
    for response in ElementTree.fromstring(document):
        href = unquote(response.findtext("{DAV:}href") or "").removeprefix(root)
        found[href] = {}
        for propstat in response.findall("{DAV:}propstat"):
            if "200" in (propstat.findtext("{DAV:}status") or ""):
                for value in propstat.find("{DAV:}prop") or ():
                    uri, _, local = value.tag[1:].partition("}")
                    inner = "".join(child.tag.partition("}")[2] for child in value)
                    text = "".join(value.itertext())
                    found[href][f"{short.get(uri, uri)}:{local}"] = text or inner or None
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def iam():
    iam = IAM()
    yield iam
    iam.server.shutdown()


@pytest.fixture(scope="module")
def server(iam, tmp_path_factory):
    """A server that the tests of a file share; each makes users of its own."""
    running = Server(tmp_path_factory.mktemp("storage") / "state", {}, iam).start()
    yield running
    assert running.end() == 0
    assert "Traceback" not in running.log.read_text()


@pytest.fixture
def start(iam, tmp_path):
    """Start servers with settings of their own."""
    started: list[Server] = []

    def start(limit_bytes: int | None = None, state: Path | None = None, port: int = 0, **environment: str) -> Server:
        place = state or tmp_path / f"state{len(started)}"
        started.append(Server(place, environment, iam, limit_bytes, port).start())
        return started[-1]

    yield start
    for running in started:
        if running.process and running.process.poll() is None:
            running.end()


@pytest.fixture
def alice(server):
    return server.account("alice")


@pytest.fixture
def bob(server):
    return server.account("bob")
