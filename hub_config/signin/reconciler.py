"""Looks again at everyone who has something running, and puts out who has lost their rights.

A page is checked when it is asked for; a server that runs asks for none. So the reconciler comes round, spread over
its interval, so that the IAM never meets the whole workspace at once.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from jupyterhub import orm
from jupyterhub.utils import new_token

from hub_config.audit import audit
from hub_config.signin.state import Standing, read_sign_in

if TYPE_CHECKING:
    from hub_config.signin.authenticator import IAMAuthenticator

FIRST_LOOK = 10
"""Seconds that the hub has to find its users and their servers again before the next round."""


class Reconciler:
    """Keeps what runs and what is allowed the same.

    Parameters
    ----------
    app
        The hub.
    authenticator
        Which knows what a user's rights are, how often to look, and for how long work goes on.
    """

    def __init__(self, app: Any, authenticator: IAMAuthenticator) -> None:
        self._app, self._authenticator = app, authenticator
        self._interval, self._goes_on = authenticator.reconcile_interval, authenticator.work_goes_on

    async def run(self) -> None:
        """Come round for ever."""
        while True:
            await asyncio.sleep(min(FIRST_LOOK, self._interval))
            began = time.monotonic()
            names = self._live()
            for name in names:
                try:
                    await self.look_at(name)
                except Exception:
                    self._app.log.exception("The rights of %s could not be looked at", name)
                await asyncio.sleep(self._interval / (len(names) + 1))
            await asyncio.sleep(max(0.0, self._interval - FIRST_LOOK - (time.monotonic() - began)))

    async def look_at(self, name: str) -> None:
        """Look at one user, and put them out where they have lost their rights."""
        user = self._app.users.get(name)
        if user is None:
            return
        standing = await self._authenticator.standing(user)
        if standing is Standing.REVOKED:
            await self.put_out(user, "the IAM has withdrawn the rights")
        elif standing is Standing.SIGN_IN_AGAIN:
            sign_in = read_sign_in(await user.get_auth_state())
            ended = sign_in.ended_at if sign_in else 0.0  # None: signed in anew since the look
            if ended is not None and time.time() - ended > self._goes_on:
                await self.put_out(user, "the sign-in has ended long ago")

    async def put_out(self, user: Any, why: str) -> None:
        """Stop a user's servers, and make worthless what lets them in: tokens, cookies, the sign-in at the IAM."""
        self._app.log.warning("%s is put out: %s", user.name, why)
        for token in list(user.orm_user.api_tokens):
            self._app.db.delete(token)
        user.orm_user.cookie_id = new_token()
        self._app.db.commit()
        await asyncio.gather(*(self._stop(user, name) for name in list(user.spawners)))
        await self._authenticator.forget(user)
        audit("put out", user=user.name, why=why)

    async def _stop(self, user: Any, server: str) -> None:
        spawner = user.spawners[server]
        if spawner._spawn_future is not None:  # it is starting: a server can be stopped once it is there
            await asyncio.wait([spawner._spawn_future])
        if spawner.active:
            await self._app.proxy.delete_user(user, server)
            await user.stop(server)

    def _live(self) -> list[str]:
        """Return who has a server or a token."""
        servers = {user.name for user in self._app.users.values() if user.active}
        tokens = self._app.db.query(orm.User.name).join(orm.APIToken, orm.APIToken.user_id == orm.User.id).distinct()
        return sorted(servers | {name for (name,) in tokens})
