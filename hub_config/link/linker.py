"""Which key a user's server gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hub_config.link.addresses import Addresses
from hub_config.link.asking import LinkError
from hub_config.link.links import Links
from hub_config.link.nextcloud import KeyState, Nextclouds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from sqlalchemy.orm import Session

    from hub_config.sections import StorageSettings
    from imagine_lib.storage.credentials import Credential

DEAD = "Your storage at {url} no longer accepts this workspace's key: link it again, or start without your storage."
UNLINKED = "No storage is linked, so there is no folder ~/nextcloud: link yours on the page Storage."
SILENT = "Your storage at {url} does not answer at the moment; the server starts nevertheless."
WITHOUT = "{why} The server starts without it."
NOT_TAKEN = "The key is forgotten here, but your Nextcloud did not answer: delete it there, in its settings."


class Server(Protocol):
    """A server that runs, as far as its storage goes."""

    async def renew_storage(self, credential: Credential) -> list[str]:
        """Give it another key; return what did not work."""

    async def take_storage(self) -> list[str]:
        """Take its key away; return what did not work."""


@dataclass(frozen=True)
class Key:
    """What a server gets."""

    credential: Credential | None
    message: str = ""
    """For the user who waits; empty: all is well."""
    is_dead: bool = False
    """The user's own link has ended: nothing is started without their word."""


class Linker:
    """Knows the links that users made, and gets keys by sign-in for those who made none.

    Parameters
    ----------
    session
        The hub's database.
    settings
        Which Nextclouds there are.
    """

    def __init__(self, session: Session, settings: StorageSettings) -> None:
        self.links = Links(session)
        self.addresses = Addresses(settings.url, settings.others)
        self.nextclouds = Nextclouds(self.addresses)
        self._settings = settings

    async def key_for(self, user: str, access_token: Callable[[], Awaitable[str]]) -> Key:
        """Return a key for a new server.

        Parameters
        ----------
        user
            Whose.
        access_token
            Gets the user's access token of the IAM, where one is needed.

        Returns
        -------
        Key
        """
        own = await self.links.get(user)
        if own is not None:
            state = await self.nextclouds.check(own)
            message = {KeyState.DEAD: DEAD, KeyState.UNKNOWN: SILENT, KeyState.WORKS: ""}[state].format(url=own.url)
            return Key(own, message, state is KeyState.DEAD)
        if not self._settings.by_sign_in:
            return Key(None, UNLINKED)
        try:
            return Key(await self.nextclouds.get_by_sign_in(self._settings.url, await access_token()))
        except LinkError as error:
            return Key(None, WITHOUT.format(why=error))

    async def dead_link(self, user: str) -> str:
        """Return what is wrong with the link that a user made; nothing where it works, or none was made."""
        own = await self.links.get(user)
        dead = own is not None and await self.nextclouds.check(own) is KeyState.DEAD
        return DEAD.format(url=own.url) if own is not None and dead else ""

    async def give_back(self, user: str, credential: Credential) -> None:
        """Take a key that a server had; one that its user linked stays good."""
        if credential != await self.links.get(user):
            await self.nextclouds.revoke(credential)

    async def link(self, user: str, credential: Credential, servers: Iterable[Server]) -> list[str]:
        """Keep a user's new key, hand it to the servers that run, and end the one before.

        Returns
        -------
        list of str
            What did not work, one sentence each.
        """
        before = await self.links.get(user)
        await self.links.put(user, credential)
        self.links.end(user)
        said = [sentence for server in servers for sentence in await server.renew_storage(credential)]
        if before is not None and before != credential:
            await self.nextclouds.revoke(before)
        return said

    async def unlink(self, user: str, servers: Iterable[Server]) -> list[str]:
        """Take a user's key from the servers that run, which send first what they hold, and end it.

        Returns
        -------
        list of str
            What did not work, one sentence each.
        """
        self.links.end(user)
        own = await self.links.get(user)
        if own is None:
            return []
        said = [sentence for server in servers for sentence in await server.take_storage()]
        self.links.drop(user)
        return said if await self.nextclouds.revoke(own) else [*said, NOT_TAKEN]
