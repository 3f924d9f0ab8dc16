"""The page on which users link their Nextcloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyterhub.handlers.base import BaseHandler
from tornado import web

from hub_config.audit import audit
from hub_config.link import nextcloud
from hub_config.link.addresses import AddressError
from hub_config.link.linker import Linker
from hub_config.link.nextcloud import LinkError

if TYPE_CHECKING:
    from hub_config.sections import StorageSettings

POLL_SECONDS = 3
"""How often the page asks while the user is at their Nextcloud."""


class StoragePage(BaseHandler):  # type: ignore[misc]  # JupyterHub is untyped
    """``/hub/imagine/storage``."""

    def initialize(self, settings_of_storage: StorageSettings) -> None:
        """Take what the operator chose."""
        self._linker = Linker(self.db, settings_of_storage)
        self._storage = settings_of_storage

    @web.authenticated
    async def get(self) -> None:
        """Show the link; while a consent is under way, look whether it was given."""
        user, said = self.current_user, ""
        flow = await self._linker.links.flow(user.name)
        if flow is not None:
            try:
                if (credential := await nextcloud.finish(flow)) is not None:
                    await self._keep(user, credential)
                    flow = None
            except LinkError as error:
                said = str(error)
        await self._show(flow, said)

    @web.authenticated
    async def post(self) -> None:
        """Link or unlink."""
        user, said = self.current_user, ""
        match self.get_body_argument("do", ""):
            case "link":
                said = await self._begin(user, self.get_body_argument("url", "") or self._storage.url)
            case "stop":
                self._linker.links.end(user.name)
            case "unlink":
                taken = await self._linker.unlink(user.name)
                audit("unlinked", user=user.name)
                said = (
                    "" if taken else "The key is forgotten here, but your Nextcloud did not answer: delete it there."
                )
            case other:
                raise web.HTTPError(400, f"There is nothing called {other!r} to do here.")
        if said:
            await self._show(await self._linker.links.flow(user.name), said)
        else:
            self.redirect(self.request.path)

    async def _begin(self, user: Any, address: str) -> str:
        try:
            url = await self._linker.addresses.check(address)
            await self._linker.links.begin(user.name, await nextcloud.begin(url))
        except (AddressError, LinkError) as error:
            return str(error)
        return ""

    async def _keep(self, user: Any, credential: Any) -> None:
        before = await self._linker.links.get(user.name)
        await self._linker.links.put(user.name, credential)
        self._linker.links.end(user.name)
        audit("linked", user=user.name, storage=credential.url)
        for spawner in user.spawners.values():
            if spawner.active and hasattr(spawner, "renew_storage"):
                await spawner.renew_storage(credential)
        if before is not None:
            await nextcloud.revoke(before)

    async def _show(self, flow: nextcloud.Flow | None, said: str) -> None:
        own = await self._linker.links.get(self.current_user.name)
        html = await self.render_template(
            "storage.html",
            own=own,
            state=(await nextcloud.check(own)).value if own is not None and flow is None else "",
            flow=flow,
            said=said,
            storage=self._storage,
            poll_seconds=POLL_SECONDS,
        )
        self.finish(html)
