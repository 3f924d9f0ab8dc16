"""A workspace for the tests: databases of both kinds, a hub that knows tokens, and the API over real HTTP."""

from __future__ import annotations

import functools
import glob
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx
import psycopg
import psycopg.sql
import pytest
import uvicorn
import yaml

from hub_config import settings
from hub_config.platform import PREFIX
from hub_config.platform.api.app import create_app
from hub_config.platform.api.services import build
from hub_config.platform.api.signin import SCOPE
from hub_config.platform.store.database import Database
from hub_config.platform.store.migrations import migrate
from imagine_lib.wire import FileEntry, ModelManifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PROJECT = Path(__file__).parents[2]
GROUPS = {"rosa": ["imagine-users", "plankton"], "ben": ["plankton"], "ada": ["imagine-admins"], "eve": []}
PEOPLE = "/hub/api/users/"
SERVICE_TOKEN = "the-token-of-the-service"


def until(true: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait for something; return it."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return found


def stop(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
    """End a process that a test started."""
    if process.poll() is None:
        process.send_signal(number)
    return process.wait(20)


# ------------------------------------------------------------------------------------------------ databases


def _postgres_programs() -> Path | None:
    if found := shutil.which("pg_config"):
        folder = Path(subprocess.check_output([found, "--bindir"], text=True).strip())
        if (folder / "initdb").exists():
            return folder
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda name: int(Path(name).parent.name))  # noqa: PTH207
    return Path(folders[-1]) if folders else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of the tests' own, on a socket; the folder of the socket is given."""
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL's server is not on this machine (no pg_config, no /usr/lib/postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    who: dict[str, Any] = {"cwd": "/"}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "nobody")
        who |= {"user": "nobody", "extra_groups": []}
    folder.chmod(0o755)
    data = str(folder / "data")
    initdb: list[Any] = [programs / "initdb", "-D", data, "-U", "imagine", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, **who)
    options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=300"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([programs / "postgres", "-D", data, "-k", folder, *options], stderr=log, **who)
    until(functools.partial(_answers, str(folder)))
    yield str(folder)
    stop(server, signal.SIGQUIT)  # at once: nothing of it is kept
    shutil.rmtree(folder)


def _answers(folder: str) -> bool:
    try:
        psycopg.connect(host=folder, user="imagine", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/platform.sqlite"
    folder = request.getfixturevalue("postgres")
    name = f"test_{time.monotonic_ns()}"  # a schema is made faster than a database
    with psycopg.connect(host=folder, user="imagine", dbname="postgres", autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("CREATE SCHEMA {}").format(psycopg.sql.Identifier(name)))
    return f"postgresql+psycopg://imagine@/postgres?host={folder}&options=-csearch_path%3D{name}"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    migrate(database)
    yield database
    database.close()


# ------------------------------------------------------------------------------------------------------ hub


@dataclass
class Neighbours:
    """The hub, the IAM and the storage as the platform sees them; the answers have the real hub's shape."""

    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    well: bool = True
    address: str = ""

    def user(self, name: str, **changed: Any) -> str:
        """Return a new token of a user."""
        token = f"token-{len(self.users)}-{name}"
        known = {"kind": "user", "name": name, "admin": name == "ada", "groups": GROUPS.get(name, [])}
        self.users[token] = {**known, "scopes": [SCOPE], "token_id": "a1", "session_id": None, **changed}
        return token

    def answer(self, path: str, token: str) -> tuple[int, Any]:
        """Return status and document."""
        self.asked.append(path)
        if not self.well:
            return 503, {}
        if path == "/hub/api/user":
            return (200, self.users[token]) if token in self.users else (403, {"message": "Forbidden"})
        if path.startswith(PEOPLE):
            assert token == SERVICE_TOKEN
            name = unquote(path.removeprefix(PEOPLE))
            return (200, {"kind": "user", "name": name}) if name in GROUPS else (404, {"message": "Not Found"})
        return 200, {"maintenance": False}


@pytest.fixture(scope="session")
def _neighbours() -> Iterator[Neighbours]:
    neighbours = Neighbours()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = (self.headers.get("Authorization") or "").partition(" ")[2]
            status, document = neighbours.answer(self.path, token)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    neighbours.address = f"127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield neighbours
    server.shutdown()


@pytest.fixture
def neighbours(_neighbours: Neighbours) -> Neighbours:
    _neighbours.well = True
    _neighbours.asked.clear()
    return _neighbours


# ------------------------------------------------------------------------------------------------- packages


def make_package(weights: bytes = b"weights", **files: bytes) -> dict[str, bytes]:
    """Return a package's files by path; dots and slashes of further names are written ``__`` and ``___``."""
    content = {"model.safetensors": weights, "README.md": b"# Title\n\nTells copepods apart. It has limits.\n"}
    content |= {name.replace("___", "/").replace("__", "."): value for name, value in files.items()}
    return {**content, "model.json": manifest_of(content).model_dump_json(by_alias=True).encode()}


def manifest_of(content: dict[str, bytes], **changed: Any) -> ModelManifest:
    return ModelManifest.model_validate(
        {
            "architecture": {"builder": "mobilenet_v3_small"},
            "classes": [{"name": "Acartia"}, {"name": "Calanus"}],
            "input": {"size": 64, "mean": [0.5] * 3, "std": [0.2] * 3, "hash": "0" * 64},
            "files": [entry.model_dump() for entry in entries_of(content)],
            **changed,
        }
    )


def entries_of(content: dict[str, bytes]) -> list[FileEntry]:
    return [
        FileEntry(path=path, sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        for path, data in content.items()
    ]


@pytest.fixture
def package() -> SimpleNamespace:
    """How packages are made."""
    return SimpleNamespace(make=make_package, manifest=manifest_of, entries=entries_of)


# ------------------------------------------------------------------------------------------------------ API


class User(httpx.Client):
    """A signed-in client of the platform."""

    def put_blob(self, content: bytes, sha256: str | None = None) -> httpx.Response:
        return self.put(f"/blobs/{sha256 or hashlib.sha256(content).hexdigest()}", content=content)

    def post_version(self, name: str, content: dict[str, bytes], *audience: str) -> httpx.Response:
        files = [entry.model_dump() for entry in entries_of(content)]
        return self.post(f"/models/{name}/versions", json={"files": files, "audience": audience or ["everyone"]})

    def publish(self, name: str, content: dict[str, bytes] | None = None, *audience: str) -> httpx.Response:
        content = content or make_package()
        for data in content.values():
            assert self.put_blob(data).status_code in (200, 201)
        return self.post_version(name, content, *audience)


@dataclass
class Platform:
    """A running API."""

    address: str
    settings: settings.Settings
    neighbours: Neighbours
    clients: list[User] = field(default_factory=list)

    def user(self, name: str, **changed: Any) -> User:
        return self.client(f"token {self.neighbours.user(name, **changed)}")

    def client(self, authorization: str | None = None) -> User:
        headers = {"Authorization": authorization} if authorization else {}
        client = User(base_url=f"http://{self.address}{PREFIX}", headers=headers, timeout=60, trust_env=False)
        self.clients.append(client)
        return client

    @property
    def store(self) -> Path:
        return Path(self.settings.platform.model_store)

    def blob(self, content: bytes) -> Path:
        digest = hashlib.sha256(content).hexdigest()
        return self.store / "blobs" / digest[:2] / digest

    def left(self) -> list[Path]:
        return list((self.store / "incoming").glob("*"))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def make_settings(tmp_path: Path, neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A settings file, named by ``IMAGINE_SETTINGS`` for this process and those that it starts."""

    def write(database_url: str, **platform: Any) -> settings.Settings:
        file, token = tmp_path / "settings.yml", tmp_path / "service-token"
        token.write_text(SERVICE_TOKEN)
        document = {
            "hub_listen": neighbours.address,
            "iam": {"issuer": f"http://{neighbours.address}"},
            "storage": {"url": f"http://{neighbours.address}"},
            "catalogue": str(tmp_path / "modules"),
            "platform": {
                "listen": f"127.0.0.1:{free_port()}",
                "database_url": database_url,
                "model_store": str(tmp_path / "model-store"),
                "token_file": str(token),
                **platform,
            },
        }
        file.write_text(yaml.safe_dump(document))
        monkeypatch.setenv("IMAGINE_SETTINGS", str(file))
        return settings.load()

    return write


@pytest.fixture
def platform(database_url: str, make_settings: Any, neighbours: Neighbours) -> Iterator[Platform]:
    """The API on loopback, served from a thread of the tests."""
    loaded = make_settings(database_url, max_file_bytes=64 * 1024**2)
    services = build(loaded)
    migrate(services.database)
    server = uvicorn.Server(uvicorn.Config(create_app(services), log_config=None))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    until(lambda: server.started)
    running = Platform(f"127.0.0.1:{listener.getsockname()[1]}", loaded, neighbours)
    yield running
    for client in running.clients:
        client.close()
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a module of ours as a process; its log is ``<label>.log``."""
    started: list[subprocess.Popen[bytes]] = []

    def run(module: str, label: str, arguments: Sequence[str] = (), **options: Any) -> subprocess.Popen[bytes]:
        with (tmp_path / f"{label}.log").open("ab") as log:
            command = [sys.executable, "-m", module, *arguments]
            started.append(subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log, **options))
        return started[-1]

    yield run
    for process in started:
        stop(process, signal.SIGKILL)


@pytest.fixture
def serve(start: Any, make_settings: Any, neighbours: Neighbours, tmp_path: Path) -> Any:
    """Start the API as its own process, on SQLite."""

    def run(again: Platform | None = None, **options: Any) -> tuple[subprocess.Popen[bytes], Platform]:
        loaded = again.settings if again else make_settings(f"sqlite:///{tmp_path}/platform.sqlite")
        running = again or Platform(loaded.platform.listen, loaded, neighbours)
        process = start("hub_config.platform", "api", **options)
        until(lambda: _healthy(running) or process.poll() is not None)
        assert process.poll() is None, (tmp_path / "api.log").read_text()
        return process, running

    return run


def _healthy(running: Platform) -> bool:
    try:
        return running.client().get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def answer_as() -> Iterator[Callable[[type[BaseHTTPRequestHandler]], str]]:
    """Answer on loopback as a handler does; its address."""
    servers = []

    def start(handler: type[BaseHTTPRequestHandler]) -> str:
        quiet = type("Quiet", (handler,), {"log_message": lambda *_: None})
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), quiet))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
