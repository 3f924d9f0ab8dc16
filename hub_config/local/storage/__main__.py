"""Start the storage: ``python -m hub_config.local.storage`` with the settings in the environment (see ``config``).

There is no access log: addresses of public links are credentials. Only failures of the server itself are logged.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

from cheroot.wsgi import Server

from .app import Storage
from .config import ConfigError, from_environment
from .connection import Connection
from .services import Services

if TYPE_CHECKING:
    from types import FrameType

THREADS = 16
_log = logging.getLogger("hub_config.local.storage")


class _Server(Server):
    """Cheroot with room for many waiting clients, and without their broken connections in the log."""

    ConnectionClass = Connection
    keep_alive_conn_limit = 256
    max_request_header_size = 64 * 1024

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        _log.log(level if level > logging.INFO else logging.DEBUG, "%s", msg, exc_info=traceback)


def main() -> int:
    """Serve until the process is told to end."""
    logging.basicConfig(
        format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr, level=logging.INFO
    )
    os.umask(0o077)
    try:
        config = from_environment(os.environ)
        services = Services(config)
    except (ConfigError, OSError) as error:
        _log.error("%s", error)
        return 2
    server = _Server(config.listen, Storage(services), numthreads=THREADS, request_queue_size=128, timeout=60)
    signal.signal(signal.SIGTERM, _end)
    try:
        server.prepare()
        _log.info("The storage answers at %s", config.url)
        server.serve()
    except OSError as error:
        _log.error("The storage cannot listen at %s: %s", config.url, error)
        return 1
    except (KeyboardInterrupt, SystemExit):
        _log.info("The storage ends")
    finally:
        server.stop()
    return 0


def _end(_: int, __: FrameType | None) -> None:
    raise SystemExit


if __name__ == "__main__":
    sys.exit(main())
