"""Serves the IAM until it is told to stop."""

from __future__ import annotations

import sys
from typing import Any

from django.core.wsgi import get_wsgi_application
from gunicorn.app.base import BaseApplication

from . import state


class Server(BaseApplication):
    """gunicorn with one worker: authorization codes and rate limits live in its memory."""

    def load_config(self) -> None:
        """Take nothing from the command line or the environment."""
        options = {
            "bind": state.listen(),
            "workers": 1,
            "worker_class": "gthread",
            "threads": 8,
            "umask": 0o077,
            "loglevel": "warning",
            "forwarded_allow_ips": "",
            "control_socket_disable": True,
            "graceful_timeout": 5,
            "proc_name": "imagine-iam",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the application, in the worker."""
        return get_wsgi_application()


def main() -> None:
    """Bring the database up to date, then serve."""
    try:
        state.prepare()
        server = Server()
    except state.StartError as error:
        sys.exit(str(error))
    server.run()


if __name__ == "__main__":
    main()
