"""What the benchmark of the storage measures."""

from __future__ import annotations

import shutil

import pytest

from tests.benchmarks.storage import Bench
from tests.local.storage.servers import embedded_only


@pytest.mark.skipif(not shutil.which("curl"), reason="the raw stream is curl's")
@embedded_only("a benchmark's account is the embedded server's")
def test_no_round_replaces_the_large_file_of_another(server, tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGINE_CACHE", str(tmp_path / "cache"))
    bench = Bench(server, tmp_path)
    for delay in (0, 20):
        bench.large_file(server.port, delay, 1_000_000, rounds=2)
    sizes = [path.stat().st_size for path in bench._account.home.iterdir()]
    assert sizes == [1_000_000] * 8  # two systems, two rounds, two distances
