"""The configuration of a hub that is all sign-in: no proxy before it, and servers that are nothing but a port."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterhub.proxy import Proxy
from jupyterhub.spawner import LocalProcessSpawner

from hub_config import settings
from hub_config.configure import configure
from hub_config.link.linker import Linker

if TYPE_CHECKING:
    from imagine_lib.storage.credentials import Credential

FOLDER = Path(os.environ["SMALL_HUB_TOKENS"])
SERVER = """
import http.server, os, urllib.parse
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"here")
    def log_message(self, *_): pass
address = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
http.server.ThreadingHTTPServer((address.hostname, address.port), Answer).serve_forever()
"""


class NoProxy(Proxy):  # type: ignore[misc]
    """Keeps its routes to itself."""

    should_start = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._routes: dict[str, Any] = {}

    async def add_route(self, routespec: str, target: str, data: Any) -> None:
        self._routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec: str) -> None:
        self._routes.pop(routespec, None)

    async def get_all_routes(self) -> dict[str, Any]:
        return dict(self._routes)


class PortSpawner(LocalProcessSpawner):  # type: ignore[misc]
    """Starts a process that answers, and holds the token that a server gets."""

    cmd = [sys.executable, "-c", SERVER]  # noqa: RUF012

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Leave the account alone: there is none."""
        return env

    def make_preexec_fn(self, name: str) -> Any:
        """Stay who we are."""
        return None

    async def start(self) -> tuple[str, int]:
        """Write the server's token where the test finds it."""
        address: tuple[str, int] = await super().start()
        (FOLDER / self.user.name).write_text(self.api_token)
        return address

    @property
    def linker(self) -> Linker:
        """What knows the user's storage."""
        return Linker(self.user.db, chosen.storage)

    async def renew_storage(self, credential: Credential) -> list[str]:
        """Note the key that the server has now."""
        (FOLDER / f"{self.user.name}.key").write_text(credential.password.get_secret_value())
        return []

    async def take_storage(self) -> list[str]:
        """Note that it has none."""
        (FOLDER / f"{self.user.name}.key").unlink()
        return ["2 files were not sent."]


c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821
chosen = settings.load()
configure(c, chosen)
c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.spawner_class = PortSpawner
c.PortSpawner.server_token_scopes = c.LocalSpawner.server_token_scopes
c.PortSpawner.http_timeout = 30
c.PortSpawner.poll_interval = 1
for service in c.JupyterHub.services:
    service.pop("url", None)
c.Authenticator.auth_refresh_age = int(os.environ["SMALL_HUB_REFRESH_AGE"])
