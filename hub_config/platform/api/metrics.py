"""The platform's figures for Prometheus, on a port of their own: the proxy leads nobody there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from fastapi import FastAPI, Request, Response
    from prometheus_client import Metric

    from hub_config.platform.logic.capacity import CapacityBoard
    from hub_config.platform.logic.status import StatusBoard

REQUEST_SECONDS = Histogram(
    "imagine_request_seconds", "Seconds that the platform took to answer", ["method", "route", "status"]
)


class Boards(Collector):
    """What the controller has seen: which services are up, and how many GPUs are free.

    Parameters
    ----------
    status, capacity
        Where it has written that.
    """

    def __init__(self, status: StatusBoard, capacity: CapacityBoard) -> None:
        self._status = status
        self._capacity = capacity

    def collect(self) -> Iterator[Metric]:
        """Yield what Prometheus asks for; a service that nobody has looked at has no figure."""
        up = GaugeMetricFamily("imagine_service_up", "Whether a service answers", labels=["service"])
        for service in self._status.read().services:
            if service.state != "unknown":
                up.add_metric([service.name], float(service.state == "up"))
        yield up
        gpus = GaugeMetricFamily("imagine_gpus", "GPUs for notebook servers", labels=["flavour", "state"])
        for one in self._capacity.read().gpus:
            for state, count in {"total": one.total, "free": one.free, "waited for": one.waiting}.items():
                if count is not None:
                    gpus.add_metric([one.flavour, state], count)
        yield gpus


def measure_requests(app: FastAPI) -> None:
    """Time every request of an app by the route that answers it, so that no user's name becomes a label."""

    @app.middleware("http")
    async def timed(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        begin = time.perf_counter()
        status = 500
        try:
            response = await call_next(request)
            status = response.status_code
            return response
        finally:
            route = getattr(request.scope.get("route"), "path", "none")
            REQUEST_SECONDS.labels(request.method, route, status).observe(time.perf_counter() - begin)


def serve_metrics(listen: str, status: StatusBoard, capacity: CapacityBoard) -> None:
    """Answer Prometheus from a thread, at ``HOST:PORT``."""
    REGISTRY.register(Boards(status, capacity))
    host, _, port = listen.rpartition(":")
    start_http_server(int(port), addr=host.strip("[]"))
