"""The page on which users link their Nextcloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyterhub.handlers.base import BaseHandler
from tornado import web

from hub_config.audit import audit
from hub_config.link.addresses import AddressError
from hub_config.link.asking import LinkError
from hub_config.link.linker import Linker
from hub_config.link.nextcloud import SpentError

if TYPE_CHECKING:
    from hub_config.link.nextcloud import Flow
    from hub_config.sections import StorageSettings
    from imagine_lib.storage.credentials import Credential

POLL_SECONDS = 3
"""How often the page asks while the user is at their Nextcloud."""

STRANGER = "This came from another page, so nothing was done: open the page Storage and try again."


class StoragePage(BaseHandler):  # type: ignore[misc]  # JupyterHub is untyped
    """``/hub/imagine/storage``."""

    def initialize(self, settings_of_storage: StorageSettings) -> None:
        """Take what the operator chose."""
        self._linker = Linker(self.db, settings_of_storage)
        self._storage = settings_of_storage

    def check_xsrf_cookie(self) -> None:
        """Refuse other origins beside what the hub itself checks: every port of a host can read the hub's cookies."""
        super().check_xsrf_cookie()
        if self.request.method == "POST" and not self._is_from_here():
            raise web.HTTPError(403, STRANGER)

    def _is_from_here(self) -> bool:
        origin, site = self.request.headers.get("Origin"), self.request.headers.get("Sec-Fetch-Site", "same-origin")
        return site == "same-origin" and (origin is None or urlsplit(origin).netloc == self.request.host)

    @web.authenticated
    async def get(self) -> None:
        """Show the link; while a consent is under way, look whether it was given."""
        name, said = self.current_user.name, list[str]()
        flow = await self._linker.links.flow(name)
        if flow is not None:
            try:
                credential = await self._linker.nextclouds.finish(flow)
            except SpentError as error:
                self._linker.links.end(name)
                flow, said = None, [str(error)]
            except LinkError as error:
                said = [str(error)]
            else:
                if credential is not None:
                    flow, said = None, await self._keep(credential)
        await self._show(flow, said)

    @web.authenticated
    async def post(self) -> None:
        """Link or unlink."""
        name, said = self.current_user.name, list[str]()
        match self.get_body_argument("do", ""):
            case "link":
                said = await self._begin(name, self.get_body_argument("url", "") or self._storage.url)
            case "stop":
                self._linker.links.end(name)
            case "unlink":
                said = await self._linker.unlink(name, self._servers())
                audit("unlinked", user=name)
            case other:
                raise web.HTTPError(400, f"There is nothing called {other!r} to do here.")
        if said:
            await self._show(await self._linker.links.flow(name), said)
        else:
            self.redirect(self.request.path)

    async def _begin(self, user: str, address: str) -> list[str]:
        try:
            url = await self._linker.addresses.check(address)
            await self._linker.links.begin(user, await self._linker.nextclouds.begin(url))
        except (AddressError, LinkError) as error:
            return [str(error)]
        return []

    async def _keep(self, credential: Credential) -> list[str]:
        name = self.current_user.name
        said = await self._linker.link(name, credential, self._servers())
        audit("linked", user=name, storage=credential.url)
        return said

    def _servers(self) -> list[Any]:
        """Return the user's servers that have storage."""
        spawners = self.current_user.spawners.values()
        return [spawner for spawner in spawners if spawner.active and hasattr(spawner, "renew_storage")]

    async def _show(self, flow: Flow | None, said: list[str]) -> None:
        own = await self._linker.links.get(self.current_user.name)
        spawner = self.current_user.spawner
        html = await self.render_template(
            "storage.html",
            own=own,
            state=(await self._linker.nextclouds.check(own)).value if own is not None and flow is None else "",
            flow=flow,
            said=said,
            kept=await spawner.count_kept() if hasattr(spawner, "count_kept") else 0,
            storage=self._storage,
            poll_seconds=POLL_SECONDS,
        )
        self.finish(html)
