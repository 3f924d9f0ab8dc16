"""``python -m hub_config.platform``: serve the API until SIGTERM."""

from __future__ import annotations

import signal
import sys

import uvicorn

from hub_config.platform.api.app import create_app
from hub_config.platform.api.metrics import serve_metrics
from hub_config.platform.api.services import build
from hub_config.platform.process import begin
from hub_config.platform.store.migrations import migrate

GRACE_SECONDS = 10
"""How long running requests may take to end."""


def main() -> None:
    """Migrate, then serve."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again when it has ended
    loaded = begin()
    services = build(loaded)
    migrate(services.database)
    if loaded.platform.metrics_listen:
        serve_metrics(loaded.platform.metrics_listen, services.status, services.capacity)
    host, _, port = loaded.platform.listen.rpartition(":")
    uvicorn.run(
        create_app(services),
        host=host.strip("[]"),
        port=int(port),
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


if __name__ == "__main__":
    main()
