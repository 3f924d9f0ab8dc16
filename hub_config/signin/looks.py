"""The looks at users that are under way: one for each user, since a refresh token that rotates can be used once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from hub_config.signin.state import Standing


class Looks:
    """Shares a look among all who ask meanwhile, and ends it when the sign-in that it looks at is gone.

    Parameters
    ----------
    look_again
        Asks the IAM about a user, and stores what it says.
    """

    def __init__(self, look_again: Callable[[Any], Coroutine[Any, Any, Standing]]) -> None:
        self._look_again = look_again
        self._under_way: dict[str, asyncio.Task[Standing]] = {}

    async def outcome(self, user: Any, patience: float | None = None) -> Standing | None:
        """Return what a look finds; where it was ended, what the next one finds.

        Parameters
        ----------
        user
            The hub's.
        patience
            Seconds to wait for it; None: as long as it takes.

        Returns
        -------
        Standing or None
            None where it has found nothing yet; it goes on.
        """
        look = self._under_way.get(user.name)
        if look is None:
            look = self._under_way[user.name] = asyncio.create_task(self._look_again(user))
            look.add_done_callback(lambda _: self._under_way.pop(user.name, None))
        await asyncio.wait([look], timeout=patience)
        if look.cancelled():
            return await self.outcome(user, patience)
        return look.result() if look.done() else None

    def end(self, user: Any) -> None:
        """End the look at a user, so that it stores nothing any more.

        Whoever replaces or removes the stored sign-in calls this with no ``await`` in between: else a look could
        put the old one back.
        """
        if look := self._under_way.get(user.name):
            look.cancel()
