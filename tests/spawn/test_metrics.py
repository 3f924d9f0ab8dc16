"""What Prometheus reads of servers."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from hub_config.spawn import metrics
from hub_config.spawn.limits import Held


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(metrics.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def servers() -> Any:
    return metrics.ServerMetrics()


def read(servers: metrics.ServerMetrics) -> list[str]:
    registry = CollectorRegistry()
    registry.register(servers)
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if not line.startswith("#") and "_created" not in line]


def test_servers_are_counted_by_profile(servers: metrics.ServerMetrics) -> None:
    servers.began("small", Held("ada", "users", 0, ""))
    servers.began("small", Held("rosa", "users", 0, ""))
    servers.began("gpu", Held("ines", "users", 1, "a100"))
    assert 'imagine_running_servers{profile="small"} 2.0' in read(servers)
    servers.ended("ada")
    servers.ended("nobody")
    assert 'imagine_running_servers{profile="small"} 1.0' in read(servers)


def test_gpu_seconds_grow_while_a_server_runs_and_stay_when_it_has_ended(
    servers: metrics.ServerMetrics, clock: list[float]
) -> None:
    servers.began("gpus", Held("ada", "cruise", 2, "a100"))
    clock[0] += 10
    assert 'imagine_gpu_seconds_total{flavour="a100",group="cruise"} 20.0' in read(servers)
    clock[0] += 5
    servers.ended("ada")
    clock[0] += 100
    assert 'imagine_gpu_seconds_total{flavour="a100",group="cruise"} 30.0' in read(servers)


def test_a_server_without_a_gpu_spends_none(servers: metrics.ServerMetrics, clock: list[float]) -> None:
    servers.began("small", Held("ada", "cruise", 0, ""))
    clock[0] += 10
    assert not any("gpu_seconds" in line for line in read(servers))
