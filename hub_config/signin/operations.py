"""What the people who run the workspace tell the hub while it runs: a banner, and that it takes no new servers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterhub.apihandlers import APIHandler
from pydantic import BaseModel, ConfigDict, ValidationError
from tornado.web import HTTPError

from hub_config.audit import audit

if TYPE_CHECKING:
    from hub_config.signin.authenticator import IAMAuthenticator

OPERATE_SCOPE = "custom:imagine:operate"
"""What a hub token must be allowed, to give the hub orders."""


NOTICE = "notice.json"
"""The file, in the hub's state folder."""


class Notice(BaseModel):
    """What everybody is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    banner: str = ""
    """Stands on every page; empty: nothing."""
    draining: str = ""
    """Why no new server is started, as one sentence; empty: servers are started."""


class Order(BaseModel):
    """One order; a field that is left out changes nothing."""

    model_config = ConfigDict(extra="forbid")

    banner: str | None = None
    draining: str | None = None
    offboard: str | None = None
    readmit: str | None = None


def read_notice(state: Path) -> Notice:
    """Return what everybody is told now; it outlives a restart of the hub."""
    try:
        return Notice.model_validate_json((state / NOTICE).read_bytes())
    except (OSError, ValidationError):
        return Notice()


def _put_notice(state: Path, **changes: str) -> None:
    new = state / f"{NOTICE}.new"
    new.write_text(read_notice(state).model_copy(update=changes).model_dump_json(), encoding="utf-8")
    new.replace(state / NOTICE)


class OperateHandler(APIHandler):  # type: ignore[misc]  # JupyterHub is untyped
    """Takes the orders of ``imagine-hub``."""

    authenticator: IAMAuthenticator

    async def post(self) -> None:
        """Carry out ``POST /hub/imagine/operate``."""
        if not getattr(self, "_token_authenticated", False) or OPERATE_SCOPE not in self.expanded_scopes:
            raise HTTPError(403, "Only the operator's token may give the hub orders.")
        try:
            order = Order.model_validate_json(self.request.body)
        except ValidationError as error:
            raise HTTPError(400, f"The order cannot be read: {error.errors()[0]['msg']}.") from None
        state = Path(self.authenticator.state_folder)
        notice = {key: text for key in ("banner", "draining") if (text := getattr(order, key)) is not None}
        if notice:
            _put_notice(state, **notice)
            audit("notice", **notice)
        for name, blocked in ((order.offboard, True), (order.readmit, False)):
            if name is not None:
                await self._block(name, blocked)
        self.finish(read_notice(state).model_dump_json())

    async def _block(self, name: str, blocked: bool) -> None:
        authenticator: Any = self.authenticator
        if not authenticator.identities.block(name, blocked):
            raise HTTPError(404, f"Nobody called {name!r} has ever signed in here.")
        audit("offboarded" if blocked else "readmitted", user=name)
        if blocked and (user := self.find_user(name)) is not None:
            await authenticator.reconciler.put_out(user, "offboarded")
            if hasattr(user.spawner, "linker"):
                await user.spawner.linker.unlink(user.name, [])
