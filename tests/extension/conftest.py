"""A platform that answers as it is told, and a real JupyterLab with the panel in it."""

from __future__ import annotations

import json
import secrets
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from imagine_lib import wire
from tests.local.storage.conftest import elsewhere, embedded_only, iam, server, start  # noqa: F401  # fixtures

from .drives import drive, drive_lab  # noqa: F401  # fixtures
from .labs import Lab, make_home, running_lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHA256 = "0" * 64

PREFIX = "/services/imagine"

HUB_TOKEN = secrets.token_hex(16)
"""The token that only the Lab's server part and the platform may see."""


def metrics(macro_f1: float, images: int, grouped: bool = True) -> wire.TestMetrics:
    values = {"accuracy": macro_f1 + 0.02, "macro_f1": macro_f1}
    return wire.TestMetrics(values=values, images=images, manifest_sha256=SHA256, grouped=grouped)


HOSTILE = """\
# Card

Cells <b>in chains</b>. <script>window.hacked = 'script'</script>

<img src="x" onerror="window.hacked = 'onerror'">
<img src="http://192.0.2.1/spy.png" alt="a picture elsewhere">

![another picture](http://192.0.2.1/markdown.png)
![a dot](data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7)

[press me](javascript:window.hacked='link') [relative](/hub/logout) [outward](https://example.org/card)

<a href="javascript:window.hacked='html'">press me too</a>
<button data-commandlinker-command="imagine-test:hacked">run a command</button>
<div style="background: url(http://192.0.2.1/style.png)">styled</div>
<svg onload="window.hacked = 'svg'"></svg>
"""

CATALOGUE = [
    wire.CatalogueEntry(
        name="phytoplankton",
        title="Phytoplankton classification",
        summary="Names the phytoplankton in FlowCam images, from a few hundred to a million of them.",
        description="## What it is for\n\nSorting *FlowCam* crops into classes. See $E = mc^2$.\n\n- one\n- two\n",
        tasks=["Computer Vision", "Classification"],
        links={"source_code": "https://example.org/code", "bad": "javascript:alert(1)"},
        classes=[wire.ClassEntry(name=f"synthetic-{shape}") for shape in ("chain", "disc", "spiny", "rod")],
        metrics=metrics(0.91, 212),
        status=wire.ModelStatus.DEMONSTRATION,
        launchable=True,
    ),
    wire.CatalogueEntry(
        name="zooplankton",
        title="Zooplankton of the Bering Sea",
        summary="Finds copepods, krill and jellies in net samples.",
        tasks=["Classification"],
        classes=[wire.ClassEntry(name=f"Taxon number {n}", aphia_id=100000 + n) for n in range(40)],
        metrics=metrics(0.874, 1400, grouped=False),
        status=wire.ModelStatus.RELEASED,
    ),
    wire.CatalogueEntry(
        name="hostile",
        title="<script>window.hacked = 'title'</script><img src=x onerror=\"window.hacked='img'\">",
        summary="<b>bold</b> & <svg onload=\"window.hacked='summary'\">",
        description=HOSTILE,
        tasks=["<i>task</i>"],
        warnings=["The licence is <script>window.hacked = 'note'</script> missing."],
        classes=[wire.ClassEntry(name="<img src=x onerror=\"window.hacked='class'\">")],
    ),
]

MANIFEST = wire.ModelManifest(
    task=wire.Task.CLASSIFICATION,
    architecture=wire.Architecture(builder="mobilenet_v3_small"),
    classes=[wire.ClassEntry(name="Acartia"), wire.ClassEntry(name="Calanus")],
    input=wire.InputSpec(size=128, mean=[0.5] * 3, std=[0.2] * 3, hash=SHA256),
    metrics=metrics(0.83, 90),
    provenance=wire.Provenance(base="phytoplankton"),
    files=[],
)

VERSION = wire.ModelVersion(
    owner="ada",
    name="copepods",
    version=3,
    sha256=SHA256,
    created="2026-05-04T10:00:00Z",
    audience=["everyone"],
    manifest=MANIFEST,
    files=[],
    card="# Copepods\n\nTwo genera, from the station off Ostend.\n\n" + HOSTILE,
)

SHARED = wire.SharedModel(
    owner="ada",
    name="copepods",
    latest=3,
    created=VERSION.created,
    task=wire.Task.CLASSIFICATION,
    status=wire.ModelStatus.RELEASED,
    classes=2,
    metrics=MANIFEST.metrics,
    summary="Two genera, from the station off Ostend.",
)


def published(owner: str, name: str, version: int = 1) -> dict[str, Any]:
    """Give a line of the list of shared models."""
    line = SHARED.model_copy(update={"owner": owner, "name": name, "latest": version})
    return line.model_dump(mode="json")


@dataclass
class FakePlatform:
    """Answers on loopback, and remembers what it was asked."""

    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Each request's path and query, and its Authorization header."""
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    """Path to status and body, where they differ from the usual."""
    down: bool = False
    shared: list[dict[str, Any]] = field(default_factory=list)
    """The shared models that the user may load, newest first; their versions look all alike."""
    withdrawn: dict[str, str] = field(default_factory=dict)
    """``owner/name`` to the reason."""

    def change(self, path: str, body: Any) -> tuple[int, Any]:
        """Answer a POST of rosa's: publish a model, or withdraw a version."""
        if path in self.answers:
            return self.answers[path]
        match path.strip("/").split("/"):
            case ["models", name, "versions"]:
                self.shared.insert(0, published("rosa", name))
                return 201, self.version("rosa", name, 1)
            case ["models", owner, name, "versions", number, "withdraw"]:
                self.withdrawn[f"{owner}/{name}"] = body["reason"]
                self.shared = [line for line in self.shared if (line["owner"], line["name"]) != (owner, name)]
                return 200, self.version(owner, name, int(number))
        return 404, problem(404, "There is no such thing.")

    def version(self, owner: str, name: str, number: int) -> dict[str, Any]:
        reason = self.withdrawn.get(f"{owner}/{name}")
        update = {"owner": owner, "name": name, "version": number, "withdrawn": reason}
        return VERSION.model_copy(update=update).model_dump(mode="json", by_alias=True)

    def answer(self, target: str) -> tuple[int, Any]:
        parts = urlsplit(target)
        path = parts.path.removeprefix(PREFIX)
        if path in self.answers:
            return self.answers[path]
        query = parse_qs(parts.query)
        text = query.get("q", [""])[0].casefold()
        match path.strip("/").split("/"):
            case ["catalogue"]:
                found = [entry for entry in CATALOGUE if text in (entry.name + entry.title).casefold()]
                return 200, page([entry.model_dump(mode="json") for entry in found])
            case ["catalogue", name]:
                for entry in CATALOGUE:
                    if entry.name == name:
                        return 200, entry.model_dump(mode="json")
            case ["models"]:
                lines = [line for line in self.shared if text in f"{line['owner']}/{line['name']}"]
                if owner := query.get("owner"):
                    lines = [line for line in lines if line["owner"] == owner[0]]
                return 200, page(lines, int(query["offset"][0]), int(query["limit"][0]))
            case ["models", owner, name, "versions", "latest"]:
                return 200, self.version(owner, name, 3)
        return 404, problem(404, "There is no such thing: 100 % sure.")


def page(items: list[Any], first: int = 0, limit: int = 50) -> dict[str, Any]:
    end = first + limit
    return {"items": items[first:end], "total": len(items), "next": end if end < len(items) else None}


def problem(status: int, detail: str) -> dict[str, Any]:
    return wire.Problem(title="Refused", status=status, detail=detail).model_dump()


def _serve(fake: FakePlatform) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.tell(lambda: fake.answer(self.path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.tell(lambda: fake.change(self.path.removeprefix(PREFIX), body))

        def tell(self, answer: Callable[[], tuple[int, Any]]) -> None:
            if fake.down:
                self.close_connection = True
                return
            fake.asked.append((self.path, self.headers.get("Authorization", "")))
            status, body = answer()
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "http://127.0.0.1:9/hub/login")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{listener.server_port}{PREFIX}"
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    return listener


@pytest.fixture(scope="session")
def platform_process() -> Iterator[FakePlatform]:
    fake = FakePlatform()
    listener = _serve(fake)
    yield fake
    listener.shutdown()
    listener.server_close()


@pytest.fixture
def platform(platform_process: FakePlatform) -> FakePlatform:
    """Give the fake platform, with nothing remembered from another test."""
    platform_process.asked.clear()
    platform_process.answers.clear()
    platform_process.withdrawn.clear()
    platform_process.shared = [published("ada", "copepods", 3)]
    platform_process.down = False
    return platform_process


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, platform_process: FakePlatform) -> Iterator[Lab]:
    """Give a JupyterLab as the hub starts one."""
    home = make_home(tmp_path_factory.mktemp("lab") / "home")
    environment = {
        "IMAGINE_PLATFORM_URL": platform_process.url,
        "JUPYTERHUB_API_TOKEN": HUB_TOKEN,
        "JUPYTERHUB_USER": "rosa",
    }
    with running_lab(home, environment) as running:
        yield running
