"""Storage: ours against rclone, webdav4 with fsspec and a plain parallel aiohttp loop, on one server in one run.

The server is the embedded one, near and 20 ms away; or the Nextcloud that NEXTCLOUD_URL names (with
NEXTCLOUD_ADMIN_USER and NEXTCLOUD_ADMIN_PASSWORD in the environment, as for ``make test-nextcloud``).
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.benchmarks import storage_peers as peers
from tests.benchmarks.hardware import PROJECT, write_results
from tests.local.storage.issuer import IAM
from tests.local.storage.servers import Elsewhere, Embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.benchmarks.hardware import Row
    from tests.benchmarks.options import Options
    from tests.local.storage.account import Account

FILES = 2000
FILE_BYTES = 30_000
FEW_FILES = 200
"""How many webdav4 moves: one after the other, so that its time grows evenly with their number."""
LARGE_BYTES = 1_000_000_000
ENTRIES = 100_000
DELAYS_MS = (0, 20)
ROUNDS = 3


def main(options: Options) -> None:
    """Measure and write the tables."""
    count = 40 if options.smoke else FILES
    large = 20_000_000 if options.smoke else LARGE_BYTES
    entries = 2000 if options.smoke else ENTRIES
    with tempfile.TemporaryDirectory() as scratch, _server(Path(scratch)) as server:
        os.environ["IMAGINE_CACHE"] = f"{scratch}/cache"
        bench = Bench(server, Path(scratch))
        rows: list[Row] = []
        for delay in DELAYS_MS if urlsplit(server.url).hostname == "127.0.0.1" else (0,):
            with _away(server.port, delay) as port:
                rows += bench.small_files(port, delay, count)
                rows += bench.large_file(port, delay, large, 1 if options.smoke or delay else ROUNDS)
        if isinstance(server, Embedded):
            name, rows = "storage", rows + bench.listing(entries)
        else:
            name = f"storage-nextcloud-{server.version}"
    write_results(name, rows, options.smoke)


class Bench:
    """What is measured on one server.

    Parameters
    ----------
    server
        Which.
    scratch
        A folder on this machine.
    """

    def __init__(self, server: Embedded | Elsewhere, scratch: Path) -> None:
        self._server, self._scratch = server, scratch
        self._account: Account = server.account("bench")

    def small_files(self, port: int, delay: int, count: int) -> list[Row]:
        """Move a folder of small files up, then down, by each system."""
        few = min(count, FEW_FILES)
        numbers = {system: few if system == "webdav4" else count for system in peers.SYSTEMS}
        folders = {number: _made(self._scratch, number) for number in {count, few}}
        told = self._told(port)
        ups, downs = {}, {}
        for system, number in numbers.items():
            remote = f"{delay}-{system}-{number}"
            ups[system] = number / _timed(peers.upload, system, told, folders[number], remote)
        for system, number in numbers.items():
            remote = f"{delay}-{'webdav4' if system == 'webdav4' else 'imagine_lib'}-{number}"
            target = self._scratch / "down"
            downs[system] = number / _timed(peers.download, system, told, target, remote)
            _require_same(folders[number], target)
            shutil.rmtree(target)
        what = f"files of {FILE_BYTES // 1000} KB"
        return _rows(f"up: {what}", delay, ups, "files/s") + _rows(f"down: {what}", delay, downs, "files/s")

    def large_file(self, port: int, delay: int, size: int, rounds: int) -> list[Row]:
        """Move one large file each way, against one raw stream; they take turns."""
        source, target, told = self._scratch / "large", self._scratch / "back", self._told(port)
        _write(source, size)
        rows: list[Row] = []
        for way, move, path in (("up", peers.upload_one, source), ("down", peers.download_one, target)):
            times: dict[str, list[float]] = {"imagine_lib": [], "curl": []}
            for number in range(rounds):
                for system, taken in times.items():
                    # A name of its own each time: to replace a file is other work than to store a new one.
                    taken.append(_timed(move, system, told, path, f"large-{delay}-{system}-{number}"))
            speeds = {system: size / 1e6 / median(taken) for system, taken in times.items()}
            rows += _rows(f"{way}: one file of {size // 10**6} MB", delay, speeds, "MB/s")
        target.unlink()
        return rows

    def listing(self, entries: int) -> list[Row]:
        """List a large folder."""
        folder = self._account.home / "many"
        folder.mkdir()
        for number in range(entries):
            os.close(os.open(folder / f"image_{number:06d}.jpg", os.O_CREAT | os.O_WRONLY))
        first, whole, grown = peers.list_in_a_process(self._told(self._server.port), "many", entries)
        values = (("first page", first, "s"), ("all", whole, "s"), ("more memory", grown, "MB"))
        return [
            row
            for what, value, unit in values
            for row in _rows(f"list {entries} entries: {what}", 0, {"imagine_lib": value}, unit)
        ]

    def _told(self, port: int) -> peers.Told:
        url = self._server.url if port == self._server.port else f"http://127.0.0.1:{port}"
        return peers.Told(url, self._account.uid, self._account.password, self._scratch)


@contextlib.contextmanager
def _server(scratch: Path) -> Iterator[Embedded | Elsewhere]:
    if url := os.environ.get("NEXTCLOUD_URL", "").rstrip("/"):
        elsewhere = Elsewhere(url, (os.environ["NEXTCLOUD_ADMIN_USER"], os.environ["NEXTCLOUD_ADMIN_PASSWORD"]))
        try:
            yield elsewhere
        finally:
            elsewhere.clear()
        return
    iam = IAM()
    running = Embedded(scratch / "state", {}, iam).start()
    try:
        yield running
    finally:
        running.end()
        iam.server.shutdown()


@contextlib.contextmanager
def _away(port: int, delay_ms: int) -> Iterator[int]:
    """Give the port at which a server on this machine is so far away."""
    if not delay_ms:
        yield port
        return
    command = [sys.executable, "-m", "tests.benchmarks.distance", str(port), str(delay_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as passage:
        assert passage.stdout is not None
        assert passage.stdin is not None
        yield int(passage.stdout.readline())
        passage.stdin.close()


def _made(scratch: Path, count: int) -> Path:
    folder = scratch / f"files-{count}"
    if not folder.exists():
        folder.mkdir()
        source = random.Random(count)
        for number in range(count):
            (folder / f"image_{number:05d}.jpg").write_bytes(source.randbytes(FILE_BYTES))
    return folder


def _write(path: Path, size: int) -> None:
    block = random.Random(0).randbytes(1_000_000)
    with path.open("wb") as file:
        for _ in range(size // len(block)):
            file.write(block)


def _require_same(wanted: Path, found: Path) -> None:
    """A system that is fast because it leaves something out is not measured."""
    for path in wanted.iterdir():
        if (found / path.name).read_bytes() != path.read_bytes():
            raise AssertionError(f"{path.name} did not arrive as it was.")


def _timed(work: Callable[..., None], *arguments: object) -> float:
    begin = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - begin


def _rows(what: str, delay: int, values: dict[str, float], unit: str) -> list[Row]:
    ours = values["imagine_lib"]
    return [
        {
            "what": what,
            "round_trip_ms": delay,
            "system": system,
            "value": f"{value:.2f}" if value < 10 else f"{value:.0f}",
            "unit": unit,
            "imagine_lib_is_times": "" if system == "imagine_lib" else f"{ours / value:.2f}",
        }
        for system, value in values.items()
    ]
