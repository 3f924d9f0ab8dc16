"""The configuration of a hub under load: ours, or stock JupyterHub with the same IAM and the same servers.

Servers are nothing but an address at which one process answers for all, so that only the hub's own work is measured.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from jupyterhub.proxy import Proxy
from jupyterhub.spawner import Spawner

FOLDER = Path(os.environ["BENCH_FOLDER"])
GIVEN: dict[str, Any] = json.loads((FOLDER / "given.json").read_text())


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


class StubSpawner(Spawner):  # type: ignore[misc]
    """Starts nothing, and hands out what a server would get."""

    _up = False

    async def start(self) -> tuple[str, int]:
        """Be up at once."""
        (FOLDER / "tokens" / self.user.name).write_text(self.api_token)
        self.get_env()
        self._up = True
        return "127.0.0.1", GIVEN["server"]

    async def stop(self, now: bool = False) -> None:
        self._up = False

    async def poll(self) -> int | None:
        return None if self._up else 0


def common(c: Any) -> None:
    """Set what both hubs share."""
    c.JupyterHub.proxy_class = NoProxy
    c.JupyterHub.hub_bind_url = c.JupyterHub.bind_url = f"http://127.0.0.1:{GIVEN['hub']}"
    c.JupyterHub.db_url = f"sqlite:///{FOLDER}/hub.sqlite"
    c.JupyterHub.cookie_secret_file = str(FOLDER / "cookie_secret")
    c.JupyterHub.concurrent_spawn_limit = 0
    c.JupyterHub.log_level = "WARN"
    c.JupyterHub.services = [
        *c.JupyterHub.get("services", []), {"name": "bench", "api_token": GIVEN["token"], "admin": True}
    ]  # fmt: skip


def stock(c: Any) -> None:
    """Configure JupyterHub as its documentation does for an OpenID provider."""
    issuer = f"http://127.0.0.1:{GIVEN['iam']}"
    c.JupyterHub.authenticator_class = "generic-oauth"
    c.JupyterHub.spawner_class = StubSpawner
    oauth = c.GenericOAuthenticator
    oauth.authorize_url, oauth.token_url, oauth.userdata_url = (
        f"{issuer}/authorize", f"{issuer}/token", f"{issuer}/userinfo"
    )  # fmt: skip
    oauth.client_id, oauth.client_secret, oauth.username_claim = "imagine-workspace", "secret", "preferred_username"
    oauth.oauth_callback_url = f"http://127.0.0.1:{GIVEN['hub']}/hub/oauth_callback"
    oauth.allow_all = oauth.enable_auth_state = oauth.manage_groups = True
    oauth.auth_state_groups_key = "oauth_user.groups"
    c.CryptKeeper.keys = [b"\x01" * 32]


def ours(c: Any) -> None:
    """Configure the workspace, with servers that are nothing."""
    from hub_config import settings
    from hub_config.configure import configure
    from hub_config.spawn.mixin import WorkspaceMixin

    class OurSpawner(WorkspaceMixin, StubSpawner):  # type: ignore[misc]
        async def start(self) -> tuple[str, int]:
            await self.key_to_storage()
            return await StubSpawner.start(self)

    loaded = settings.load()
    configure(c, loaded)
    c.JupyterHub.spawner_class = OurSpawner
    c.OurSpawner.update(c.LocalSpawner)
    c.JupyterHub.last_activity_interval = 300


c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821
{"ours": ours, "stock": stock}[os.environ["BENCH_SYSTEM"]](c)
common(c)
