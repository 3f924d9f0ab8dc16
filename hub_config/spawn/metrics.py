"""What servers hold, for Prometheus: beside the hub's own figures at ``/hub/metrics``."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from hub_config.spawn.limits import Held


@dataclass
class _Server:
    profile: str
    held: Held
    counted: float
    """Until when its GPU-seconds are in the sum."""


class ServerMetrics(Collector):
    """Counts the servers of this hub, and the seconds for which they hold GPUs."""

    def __init__(self) -> None:
        self._servers: dict[str, _Server] = {}
        self._gpu_seconds: Counter[tuple[str, str]] = Counter()

    def began(self, profile: str, held: Held) -> None:
        """Count a user's server from now on: it starts, or the hub finds it when it starts itself."""
        self._servers[held.user] = _Server(profile, held, time.monotonic())

    def ended(self, user: str) -> None:
        """Count a user's server no more."""
        if server := self._servers.pop(user, None):
            self._count(server)

    def collect(self) -> Iterator[Metric]:
        """Yield what Prometheus asks for."""
        servers = GaugeMetricFamily("imagine_running_servers", "Servers that run or start", labels=["profile"])
        for profile, count in Counter(one.profile for one in self._servers.values()).items():
            servers.add_metric([profile], count)
        yield servers
        for server in self._servers.values():
            self._count(server)
        seconds = CounterMetricFamily(
            "imagine_gpu_seconds",
            "Seconds for which servers held GPUs, times their number",
            labels=["group", "flavour"],
        )
        for labels, total in self._gpu_seconds.items():
            seconds.add_metric(labels, total)
        yield seconds

    def _count(self, server: _Server) -> None:
        now = time.monotonic()
        if server.held.gpus:
            key = server.held.group, server.held.gpu_flavour
            self._gpu_seconds[key] += (now - server.counted) * server.held.gpus  # type: ignore[assignment]
        server.counted = now


servers = ServerMetrics()
"""Of this process, which has one hub."""
REGISTRY.register(servers)
