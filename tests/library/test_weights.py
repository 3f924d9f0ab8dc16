"""Trained weights: fetched from a real server, checked, converted once, kept whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torchvision import models
from torchvision.models import _api as registry

from imagine_lib.cli import main
from imagine_lib.errors import ImagineError, ModelError, UsageError
from imagine_lib.models import weights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUILDER = "mobilenet_v3_small"
CLASSES = 5


class Pickled(NamedTuple):
    """A network's weights as torch saves them."""

    path: Path
    content: bytes
    sha256: str
    state: dict[str, torch.Tensor]


class Server(ThreadingHTTPServer):
    """Serves what it is told to, well or badly."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.files: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def put(self, path: str, content: bytes) -> str:
        self.files[path] = content
        return self.url + path


class Handler(BaseHTTPRequestHandler):
    """One answer for each first part of the path."""

    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        kind, _, rest = self.path.lstrip("/").partition("/")
        if kind in ("file:", "https:", "ftp:"):
            self._head(302, {"Location": f"{kind}//127.0.0.1/{rest}", "Content-Length": "0"})
        elif kind == "moved":
            self._head(302, {"Location": f"/{rest}", "Content-Length": "0"})
        elif kind == "loop":
            self._head(302, {"Location": self.path, "Content-Length": "0"})
        elif kind == "page":
            self._head(200, {"Content-Type": "text/html; charset=utf-8", "Content-Length": "13"})
            self.wfile.write(b"<html></html>")
        elif kind == "nonsense":
            self.wfile.write(b"this is no HTTP\r\n\r\n")
            self.close_connection = True
        else:
            self._send_file(kind, "/" + rest if kind in ("short", "slow") else self.path)

    def _send_file(self, kind: str, path: str) -> None:
        content = self.server.files.get(path)
        if content is None:
            self._head(404, {"Content-Length": "0"})
            return
        if kind == "slow":
            time.sleep(0.5)
        self._head(200, {"Content-Type": "application/octet-stream", "Content-Length": str(len(content))})
        self.wfile.write(content[: len(content) // 2] if kind == "short" else content)
        self.close_connection = kind == "short"

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def pickled(tmp_path_factory: pytest.TempPathFactory) -> Pickled:
    torch.manual_seed(0)
    network = models.get_model(BUILDER, weights=None, num_classes=CLASSES)
    path = tmp_path_factory.mktemp("pickled") / "plankton.pth"
    torch.save(network.state_dict(), path)
    content = path.read_bytes()
    return Pickled(path, content, hashlib.sha256(content).hexdigest(), dict(network.state_dict()))


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shelf"
    monkeypatch.setenv("IMAGINE_WEIGHTS", str(folder))
    monkeypatch.delenv("IMAGINE_WEIGHTS_URL", raising=False)
    return folder


@pytest.fixture
def official(pickled: Pickled) -> Iterator[str]:
    """A builder that torchvision names weights for, whose file we have."""
    entry = registry.Weights(
        url=f"https://download.pytorch.org/models/sea_net-{pickled.sha256[:8]}.pth", transforms=dict, meta={}
    )
    named = registry.WeightsEnum("SeaNet_Weights", {"IMAGENET1K_V1": entry, "DEFAULT": entry})

    def sea_net(*, weights: Any = None, **arguments: Any) -> torch.nn.Module:
        return models.get_model(BUILDER, weights=weights, **arguments)

    sea_net.__annotations__["weights"] = named
    sea_net.__module__ = "torchvision.models.sea"
    registry.register_model()(sea_net)
    yield "sea_net"
    del registry.BUILTIN_MODELS["sea_net"]


def kept(shelf: Path) -> set[str]:
    return {path.name for path in shelf.iterdir() if path.name != ".lock"} if shelf.is_dir() else set()


def assert_same(path: Path, state: dict[str, torch.Tensor]) -> None:
    found = load_file(path)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)


# ---------------------------------------------------------------------------------------------- fetching


def test_torchvisions_weights_are_fetched_checked_converted_and_described(
    server: Server, pickled: Pickled, official: str, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGINE_WEIGHTS_URL", f"{server.url}/mirror/")
    address = server.put(f"/mirror/models/sea_net-{pickled.sha256[:8]}.pth", pickled.content)
    assert weights.find(official) is None
    stored = weights.fetch(official)
    assert kept(shelf) == {"sea_net-IMAGENET1K_V1.safetensors", "sea_net-IMAGENET1K_V1.json"}
    assert_same(stored.path, pickled.state)
    described = json.loads(stored.path.with_suffix(".json").read_text())
    assert described == {
        "builder": "sea_net",
        "name": "IMAGENET1K_V1",
        "source": address,
        "original_sha256": pickled.sha256,
        "sha256": hashlib.sha256(stored.path.read_bytes()).hexdigest(),
        "size": stored.path.stat().st_size,
        "classes": CLASSES,
        "licence": described["licence"],
        "converted_by": described["converted_by"],
    }
    assert "ImageNet-1k" in described["licence"]
    assert f"torch {torch.__version__.partition('+')[0]}" in described["converted_by"]
    assert weights.find(official) == weights.find(official, "IMAGENET1K_V1") == stored


def test_what_is_there_is_not_fetched_again(
    server: Server, pickled: Pickled, official: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGINE_WEIGHTS_URL", server.url)
    server.put(f"/models/sea_net-{pickled.sha256[:8]}.pth", pickled.content)
    assert weights.fetch(official) == weights.fetch(official, "IMAGENET1K_V1")
    assert len(server.asked) == 1


def test_a_file_with_another_hash_than_its_name_says_leaves_nothing(
    server: Server, pickled: Pickled, official: str, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGINE_WEIGHTS_URL", server.url)
    server.put(f"/models/sea_net-{pickled.sha256[:8]}.pth", pickled.content[:-1] + b"!")
    with pytest.raises(ModelError, match=rf"instead of {pickled.sha256[:8]}\): nothing of it was kept\.$"):
        weights.fetch(official)
    assert kept(shelf) == set()


def test_the_pin_of_torchvision_holds_beside_a_sha256_that_is_given(
    server: Server, pickled: Pickled, official: str, shelf: Path
) -> None:
    """Otherwise any file could pass for torchvision's under its name."""
    other = pickled.content + b" "
    url = server.put("/other.pth", other)
    with pytest.raises(ModelError, match="is not the file that was asked for"):
        weights.fetch(official, "IMAGENET1K_V1", hashlib.sha256(other).hexdigest(), url)
    assert kept(shelf) == set()


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/missing.pth", r"answers 404: the weights are not to be had there\.$"),
        ("/short/weights.pth", r"The download of .* broke off after \d\.\d MB: try again\.$"),
        ("/page/weights.pth", "gives a web page instead of the weights: a sign-in page may be in between"),
        ("/nonsense/weights.pth", "does not answer as a web server does"),
        ("/file:/weights.pth", r"leads on to another kind of address \(file:\): the download is refused\.$"),
        ("/ftp:/weights.pth", r"leads on to another kind of address \(ftp:\)"),
        ("/https:/weights.pth", r"leads on to another kind of address \(https:\)"),
        ("/loop/weights.pth", "leads on and on"),
    ],
)
def test_a_server_that_fails_gets_one_sentence_and_leaves_nothing(
    server: Server, pickled: Pickled, shelf: Path, path: str, sentence: str
) -> None:
    server.put("/weights.pth", pickled.content)
    with pytest.raises(ModelError, match=sentence):
        weights.fetch(BUILDER, "ours", pickled.sha256, server.url + path)
    assert kept(shelf) == set()


def test_a_redirect_on_the_same_scheme_is_followed(server: Server, pickled: Pickled) -> None:
    server.put("/weights.pth", pickled.content)
    stored = weights.fetch(BUILDER, "ours", pickled.sha256, f"{server.url}/moved/weights.pth")
    assert_same(stored.path, pickled.state)


def test_no_network_is_said_at_once(shelf: Path) -> None:
    with socket.socket() as taken:  # bound and never listening: nobody can answer there
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/weights.pth"
        with pytest.raises(ModelError, match=r"cannot be reached: there is no network, or the server is down\.$"):
            weights.fetch(BUILDER, "ours", "0" * 64, url)
    assert kept(shelf) == set()


def test_an_interrupted_download_leaves_nothing(server: Server, pickled: Pickled, shelf: Path) -> None:
    url, told = server.put("/weights.pth", pickled.content), []

    def stop_halfway(done: int, total: int | None) -> None:
        told.append((done, total))
        if done > len(pickled.content) / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.fetch(BUILDER, "ours", pickled.sha256, url, stop_halfway)
    assert kept(shelf) == set()
    assert len(pickled.content) / 2 < told[-1][0] < told[-1][1] == len(pickled.content)


def test_secrets_in_a_url_are_neither_kept_nor_said(server: Server, pickled: Pickled) -> None:
    server.put("/weights.pth?signature=secret", pickled.content)
    address = server.url.replace("http://", "http://ada:secret@")
    stored = weights.fetch(BUILDER, "ours", pickled.sha256, f"{address}/weights.pth?signature=secret")
    assert stored.source == f"{server.url}/weights.pth"
    with pytest.raises(ModelError, match="answers 404") as refused:
        weights.fetch(BUILDER, "others", pickled.sha256, f"{address}/missing.pth?signature=secret")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("resnet1",), "torchvision has no network 'resnet1'; it has"),
        (
            ("resnet18", "V9"),
            r"no weights 'V9' of resnet18: torchvision has IMAGENET1K_V1, and `imagine weights list`",
        ),
        (("resnet18", "ours", None, "https://x.org/a.pth"), "https://x.org/a.pth has no sha256 to be checked with"),
        (("resnet18", "ours", None, "https://x.org/a-f37072fd.pth"), "has no sha256 to be checked with: give sha256"),
        (("resnet18", "IMAGENET1K_V1", None, "https://x.org/resnet18-f37072fd.pth"), "has no sha256 to be checked"),
        (("resnet18", "ours", None, "http://ada:secret@[x?key=secret"), r"^\[x is no address on the web: it must"),
        (
            ("resnet18", "ours", "0" * 64, "http://[x"),
            r"^http://\[x is no address on the web: it must begin with https",
        ),
        (("resnet18", "ours", "12", "https://x.org/a.pth"), "'12' is no sha256: one has 64 digits"),
        (("resnet18", "ours", "0" * 64, "file:///etc/passwd"), "file:///etc/passwd is no address on the web"),
        (("resnet18", "default", "0" * 64, "https://x.org/a.pth"), "'default' cannot be a name of weights"),
        (("resnet18", "../ours", "0" * 64, "https://x.org/a.pth"), "'../ours' cannot be a name of weights"),
    ],
)
def test_wrong_use_is_refused_before_the_network_is_asked(arguments: tuple[Any, ...], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        weights.fetch(*arguments)


@pytest.mark.parametrize("address", ["weights.example.org", "http://[x"])
def test_a_mirror_that_is_no_address_is_named(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("IMAGINE_WEIGHTS_URL", address)
    with pytest.raises(UsageError, match=f"IMAGINE_WEIGHTS_URL is {re.escape(repr(address))}, which is no address"):
        weights.fetch("resnet18")


@pytest.mark.parametrize("while_it", ["arrives", "is converted"])
def test_a_disk_that_is_full_is_said_and_leaves_nothing(
    server: Server, pickled: Pickled, shelf: Path, while_it: str
) -> None:
    url = server.put("/weights.pth", pickled.content)
    takes = {
        "arrives": lambda: weights.fetch(BUILDER, "ours", pickled.sha256, url),
        "is converted": lambda: weights.import_file(pickled.path, BUILDER, pickled.sha256),
    }
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(pickled.content) // 2, unlimited[1]))
    try:
        with pytest.raises(ModelError, match=r"cannot be written to .*shelf \(.*File too large.*\): free some space"):
            takes[while_it]()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert kept(shelf) == set()


def test_a_folder_that_cannot_be_made_is_named(
    pickled: Pickled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IMAGINE_WEIGHTS", str(tmp_path / "file" / "shelf"))
    with pytest.raises(
        ModelError, match=r"file/shelf \(Not a directory\): free some space, or name a folder of yours"
    ):
        weights.import_file(pickled.path, BUILDER, pickled.sha256)


def test_two_at_once_fetch_once(server: Server, pickled: Pickled, shelf: Path) -> None:
    """The lock is the file's, so that it parts programs as it parts these threads."""
    server.put("/weights.pth", pickled.content)
    url = f"{server.url}/slow/weights.pth"
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(weights.fetch, BUILDER, "ours", pickled.sha256, url) for _ in range(2)]
    assert both[0].result() == both[1].result()
    assert server.asked == ["/slow/weights.pth"]
    assert kept(shelf) == {f"{BUILDER}-ours.safetensors", f"{BUILDER}-ours.json"}


def test_what_a_killed_program_left_is_cleared_away(pickled: Pickled, shelf: Path) -> None:
    (shelf / ".writing-killed").mkdir(parents=True)
    (shelf / ".writing-killed" / "arrived.pth").write_bytes(b"half")
    (shelf / f"{BUILDER}-ours.safetensors").write_bytes(b"its JSON never came")
    stored = weights.import_file(pickled.path, BUILDER, pickled.sha256, "ours")
    assert_same(stored.path, pickled.state)
    assert kept(shelf) == {f"{BUILDER}-ours.safetensors", f"{BUILDER}-ours.json"}


# ---------------------------------------------------------------------------------------------- importing


def test_a_pth_needs_its_sha256(pickled: Pickled, shelf: Path) -> None:
    with pytest.raises(ModelError, match=r"a \.pth file that torchvision does not know: give the sha256"):
        weights.import_file(pickled.path, BUILDER)
    with pytest.raises(ModelError, match=f"its sha256 is {pickled.sha256} and not {'0' * 64}"):
        weights.import_file(pickled.path, BUILDER, "0" * 64)
    assert kept(shelf) == set()
    stored = weights.import_file(pickled.path, BUILDER, pickled.sha256.upper())
    assert stored.name == f"plankton-{pickled.sha256[:8]}"
    assert (stored.source, stored.licence) == ("plankton.pth", None)


def test_torchvisions_own_file_is_known_whatever_it_is_called(pickled: Pickled, official: str) -> None:
    assert weights.import_file(pickled.path, official).name == "IMAGENET1K_V1"
    assert weights.find(official) is not None


def test_torchvisions_name_is_kept_for_torchvisions_file(pickled: Pickled) -> None:
    with pytest.raises(UsageError, match="IMAGENET1K_V1 is torchvision's name for other weights"):
        weights.import_file(pickled.path, BUILDER, pickled.sha256, "IMAGENET1K_V1")


def test_a_conversion_gives_the_same_bytes_each_time(
    pickled: Pickled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = weights.import_file(pickled.path, BUILDER, pickled.sha256)
    monkeypatch.setenv("IMAGINE_WEIGHTS", str(tmp_path / "elsewhere"))
    assert weights.import_file(pickled.path, BUILDER, pickled.sha256).sha256 == first.sha256


def test_half_precision_and_a_counter_that_is_missing_are_filled_up(pickled: Pickled, tmp_path: Path) -> None:
    """Older files of torchvision lack the counters of batch normalisation."""
    state = {name: value.half() for name, value in pickled.state.items() if not name.endswith("num_batches_tracked")}
    save_file(state, tmp_path / "half.safetensors")
    stored = weights.import_file(tmp_path / "half.safetensors", BUILDER)
    found = load_file(stored.path)
    assert found.keys() == pickled.state.keys()
    assert found["classifier.3.weight"].dtype == torch.float32
    torch.testing.assert_close(found["classifier.3.weight"], pickled.state["classifier.3.weight"], atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (lambda state: torch.nn.Linear(2, 2), "is damaged or holds more than tensors: save it again"),
        (lambda state: {"model": state}, "holds no table of tensors by name"),
        (lambda state: [1, 2], "holds no table of tensors by name"),
        (lambda state: {"x": torch.zeros(1)}, f"does not hold weights of {BUILDER}"),
        (lambda state: state | {"classifier.3.weight": torch.zeros(0, 1024)}, f"does not hold weights of {BUILDER}"),
        (lambda state: state | {"extra": torch.zeros(1)}, f"does not hold weights of {BUILDER}"),
        (lambda state: state | {"features.0.0.weight": torch.zeros(1)}, f"does not hold weights of {BUILDER}"),
        (
            lambda state: state | {"classifier.3.bias": torch.full((CLASSES,), torch.nan)},
            "values that are no numbers",
        ),
    ],
    ids=["module", "nested", "list", "other", "no class", "extra", "shape", "nan"],
)
def test_a_pth_that_is_no_state_dict_of_the_builder_is_refused(
    pickled: Pickled, tmp_path: Path, shelf: Path, content: Any, sentence: str
) -> None:
    path = tmp_path / "odd.pth"
    torch.save(content(pickled.state), path)
    with pytest.raises(ModelError, match=f"^odd.pth {sentence}|^odd.pth holds {sentence}"):
        weights.import_file(path, BUILDER, hashlib.sha256(path.read_bytes()).hexdigest())
    assert kept(shelf) == set()


class Evil:
    """What a hostile pickle is made of."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["EVIL"],)


def test_a_hostile_pickle_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVIL", str(tmp_path / "was-here"))
    path = tmp_path / "evil.pth"
    torch.save({"weight": Evil()}, path)
    with pytest.raises(ModelError, match="holds more than tensors"):
        weights.import_file(path, BUILDER, hashlib.sha256(path.read_bytes()).hexdigest())
    assert not (tmp_path / "was-here").exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 4000), byte=st.integers(0, 255), cut=st.booleans(), safe=st.booleans())
def test_a_damaged_file_is_refused_in_a_sentence(
    tmp_path: Path, shelf: Path, position: int, byte: int, cut: bool, safe: bool
) -> None:
    path = tmp_path / ("small.safetensors" if safe else "small.pth")
    state = {"weight": torch.arange(4.0)}
    (save_file if safe else torch.save)(state, path)  # type: ignore[operator]
    content = bytearray(path.read_bytes())
    content[position % len(content)] = byte
    path.write_bytes(content[: position % len(content)] if cut else content)
    with pytest.raises(ModelError, match=r"^[^\n]*small\.(pth|safetensors)[^\n]*\.$"):
        weights.import_file(path, BUILDER, hashlib.sha256(path.read_bytes()).hexdigest())
    assert kept(shelf) == set()


def test_other_weights_are_never_overwritten(pickled: Pickled, tmp_path: Path) -> None:
    first = weights.import_file(pickled.path, BUILDER, pickled.sha256, "ours")
    save_file({name: value + 1 for name, value in pickled.state.items()}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match=r"holds other weights under the name ours: give another name \(--name\)\.$"):
        weights.import_file(tmp_path / "other.safetensors", BUILDER, name="ours")
    assert_same(first.path, pickled.state)


@pytest.mark.parametrize("name", ["no-such.pth", "folder.pth"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.pth").mkdir()
    with pytest.raises(ModelError, match=f"{name} cannot be read: (no such file|is a directory)"):
        weights.import_file(tmp_path / name, BUILDER, "0" * 64)


# ---------------------------------------------------------------------------------------------- finding


def test_the_folders_are_searched_in_order_and_only_the_first_is_written(
    pickled: Pickled, tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    baked = tmp_path / "baked"
    monkeypatch.setenv("IMAGINE_WEIGHTS", str(baked))
    weights.import_file(pickled.path, BUILDER, pickled.sha256, "baked")
    before = {path.name: path.stat().st_mtime_ns for path in baked.iterdir()}
    monkeypatch.setenv("IMAGINE_WEIGHTS", os.pathsep.join(map(str, [shelf, tmp_path / "missing", baked])))
    found = weights.find(BUILDER, "baked")
    assert found is not None
    assert found.path == baked / f"{BUILDER}-baked.safetensors"
    assert weights.import_file(pickled.path, BUILDER, pickled.sha256, "baked") == found
    assert not shelf.exists()
    weights.import_file(pickled.path, BUILDER, pickled.sha256, "another")
    assert [(stored.name, stored.path.parent) for stored in weights.listed()] == [
        ("another", shelf),
        ("baked", baked),
    ]
    assert {path.name: path.stat().st_mtime_ns for path in baked.iterdir()} == before


def test_changed_weights_are_refused_and_fetching_mends_them(server: Server, pickled: Pickled) -> None:
    url = server.put("/weights.pth", pickled.content)
    stored = weights.fetch(BUILDER, "ours", pickled.sha256, url)
    content = bytearray(stored.path.read_bytes())
    content[-1] ^= 1
    stored.path.write_bytes(content)
    with pytest.raises(ModelError, match=r"was changed since it was stored \(sha256 differs\)"):
        weights.find(BUILDER, "ours")
    weights.fetch(BUILDER, "ours", pickled.sha256, url)
    assert weights.find(BUILDER, "ours") == stored


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '{"builder": 1}'])
def test_a_damaged_description_is_left_out_of_the_list_and_named(pickled: Pickled, shelf: Path, damage: str) -> None:
    weights.import_file(pickled.path, BUILDER, pickled.sha256, "good")
    stored = weights.import_file(pickled.path, BUILDER, pickled.sha256, "bad")
    stored.path.with_suffix(".json").write_text(damage)
    with pytest.warns(UserWarning, match=r"-bad\.json cannot be read \(it does not describe weights\)"):
        assert [found.name for found in weights.listed()] == ["good"]
    with pytest.raises(ImagineError, match="fetch or import the weights again"):
        weights.find(BUILDER, "bad")


# ---------------------------------------------------------------------------------------------- the command line


def test_the_command_line_imports_and_lists(
    pickled: Pickled, shelf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "list"]) == 0
    assert "no weights are on this machine" in capsys.readouterr().err
    command = ["weights", "import", str(pickled.path), "--builder", BUILDER, "--sha256", pickled.sha256]
    assert main(command) == 0
    path = capsys.readouterr().out.strip()
    assert main([*command, "--json"]) == 0
    imported = json.loads(capsys.readouterr().out)
    assert imported["path"] == path
    assert imported["original_sha256"] == pickled.sha256
    assert main(["weights", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [imported]
    assert main(["weights", "list"]) == 0
    assert capsys.readouterr().out.split("\t")[:2] == [BUILDER, f"plankton-{pickled.sha256[:8]}"]


def test_the_command_line_fetches(
    server: Server,
    pickled: Pickled,
    official: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMAGINE_WEIGHTS_URL", server.url)
    server.put(f"/models/sea_net-{pickled.sha256[:8]}.pth", pickled.content)
    assert main(["weights", "fetch", official, "--name", "IMAGENET1K_V1", "--json"]) == 0
    fetched = json.loads(capsys.readouterr().out)
    assert (fetched["builder"], fetched["name"]) == ("sea_net", "IMAGENET1K_V1")
    assert main(["weights", "fetch", official, "--name", "V9"]) == 2
    assert "imagine: There are no weights 'V9' of sea_net" in capsys.readouterr().err


def test_listing_is_quick_because_it_loads_no_torch() -> None:
    code = (
        "import sys; from imagine_lib.cli import main; main(['weights', 'list']); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
