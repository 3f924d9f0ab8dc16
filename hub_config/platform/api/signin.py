"""Who sends a request: the hub is asked about the token, and remembered for half a minute."""

import asyncio
import re
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader
from jupyterhub.httpclient import JupyterHubHTTPClient
from jupyterhub.services.auth import HubAuth, check_scopes
from tornado.web import HTTPError

from hub_config.platform import SERVICE
from hub_config.platform.errors import NotAllowed, NotSignedIn, Unavailable
from hub_config.platform.logic.access import Caller

CACHE_SECONDS = 30
"""How long a revoked token may still work; without the cache each request would cost the hub one too."""
HUB_SECONDS = 10
"""How long the hub may take to answer."""
SCOPE = f"access:services!service={SERVICE}"

_HEADER = re.compile(r"(?:token|bearer) +([\w.~+/=-]{1,4096})", re.IGNORECASE | re.ASCII)
_scheme = APIKeyHeader(
    name="Authorization",
    scheme_name="hub token",
    description="`token …` or `Bearer …` with a token of the hub, as in `JUPYTERHUB_API_TOKEN`.",
    auto_error=False,
)


class HubTokens:
    """The hub's knowledge of its tokens.

    Parameters
    ----------
    api_url
        The hub's own API.
    own_token
        The service's token.
    """

    def __init__(self, api_url: str, own_token: str) -> None:
        self._hub = HubAuth(api_url=api_url, api_token=own_token, cache_max_age=CACHE_SECONDS)

    async def caller(self, header: str | None) -> Caller:
        """Return whose token an ``Authorization`` header holds.

        Raises
        ------
        NotSignedIn
            There is none, or the hub does not know it.
        NotAllowed
            It was not given for this service, or is no user's.
        Unavailable
            The hub does not answer.
        """
        match = _HEADER.fullmatch(header or "")
        if match is None:
            raise NotSignedIn("There is no hub token in the request: send one as 'Authorization: token …'.")
        user = await self._ask(match[1])
        if user is None:
            raise NotSignedIn("The hub does not know this token, or no longer: make a new one.")
        if user["kind"] != "user":
            raise NotAllowed("This token belongs to a service of the hub: use a user's token.")
        if not check_scopes({SCOPE}, user["scopes"]):
            raise NotAllowed(f"This token may not be used here: make one with the scope {SCOPE}.")
        return Caller(name=user["name"], admin=bool(user["admin"]), groups=frozenset(user["groups"]))

    async def close(self) -> None:
        """Close the connections to the hub."""
        await JupyterHubHTTPClient.loop_instance().close()

    async def _ask(self, token: str) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(HUB_SECONDS):
                user: dict[str, Any] | None = await self._hub.user_for_token(token, sync=False)
        except (HTTPError, TimeoutError) as error:
            raise Unavailable("The hub does not answer, so nobody is recognised: try again in a minute.") from error
        return user


async def _caller(request: Request, header: Annotated[str | None, Depends(_scheme)]) -> Caller:
    tokens: HubTokens = request.app.state.services.tokens
    return await tokens.caller(header)


SignedIn = Annotated[Caller, Depends(_caller)]
"""A handler's parameter of this type is the signed-in user; without one the request is refused."""
