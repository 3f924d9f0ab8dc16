"""Where the panel's catalogue and shared models come from.

In a server that the hub started, from the platform. In a JupyterLab outside the hub, the catalogue
comes from the library, and nothing is shared.
"""

from __future__ import annotations

import asyncio
import json
import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imagine_lib.wire import CatalogueEntry

TIMEOUT_SECONDS = 10.0
"""How long the platform may take. A panel that says "no answer" after ten seconds can be tried again;
one that spins for tornado's twenty looks broken."""

DOWN = "The iMagine platform does not answer at the moment; your notebooks are not affected."
OUTSIDE_THE_HUB = "Shared models are there when JupyterLab is started from the iMagine hub."


class SourceError(Exception):
    """The answer cannot be given.

    Parameters
    ----------
    status
        The HTTP status for the browser.
    message
        One sentence for the user.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Source(Protocol):
    """What the handlers ask, whoever answers."""

    async def catalogue(self, text: str, offset: int, limit: int) -> dict[str, Any]:
        """List the catalogue entries that match ``text``, as one page."""

    async def entry(self, name: str) -> dict[str, Any]:
        """Give one catalogue entry."""

    async def mine(self, text: str, offset: int, limit: int) -> dict[str, Any]:
        """List the models that the user shares and that match ``text``, as one page."""

    async def shared(self, text: str, offset: int, limit: int) -> dict[str, Any]:
        """List the models that others share with the user and that match ``text``, as one page."""

    async def model(self, owner: str, name: str) -> dict[str, Any]:
        """Give the newest version of one shared model."""

    async def withdraw(self, owner: str, name: str, version: int, reason: str) -> dict[str, Any]:
        """Take a version of the user's back, and give it as it is then."""


class Platform:
    """The platform beside the hub.

    Parameters
    ----------
    url
        Where it listens, as in ``http://127.0.0.1:8005/services/imagine``.
    token
        The user's hub token. It goes into one request header and nowhere else.
    user
        The user's name.
    """

    def __init__(self, url: str, token: str, user: str) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._user = user

    async def catalogue(self, text: str, offset: int, limit: int) -> dict[str, Any]:
        """List the catalogue entries that match ``text``, as one page."""
        return await self._get("catalogue", {"q": text, "offset": offset, "limit": limit})

    async def entry(self, name: str) -> dict[str, Any]:
        """Give one catalogue entry."""
        return await self._get(_address("catalogue", name))

    async def mine(self, text: str, offset: int, limit: int) -> dict[str, Any]:
        """List the models that the user shares and that match ``text``, as one page."""
        return await self._get("models", {"q": text, "owner": self._user, "offset": offset, "limit": limit})

    async def shared(self, text: str, offset: int, limit: int) -> dict[str, Any]:
        """List the models that others share with the user and that match ``text``, as one page.

        The platform lists them among the user's own, which are left out here. A page may so be short, but is empty
        only when it is the last.
        """
        found: list[dict[str, Any]] = []
        at: int | None = offset
        while at is not None and not found:
            page = await self._get("models", {"q": text, "offset": at, "limit": limit})
            found = [model for model in page["items"] if model["owner"] != self._user]
            at = page["next"]
        total = len(found) if offset == 0 and at is None else page["total"] - (await self.mine(text, 0, 1))["total"]
        return {"items": found, "total": total, "next": at}

    async def model(self, owner: str, name: str) -> dict[str, Any]:
        """Give the newest version of one shared model."""
        return await self._get(_address("models", owner, name, "versions", "latest"))

    async def withdraw(self, owner: str, name: str, version: int, reason: str) -> dict[str, Any]:
        """Take a version of the user's back, and give it as it is then."""
        path = _address("models", owner, name, "versions", str(version), "withdraw")
        return await self._ask("POST", path, json.dumps({"reason": reason}))

    async def _get(self, path: str, query: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        return await self._ask("GET", path + (f"?{urlencode(query)}" if query else ""))

    async def _ask(self, method: str, address: str, body: str | None = None) -> dict[str, Any]:
        headers = {"Accept": "application/json", "Authorization": f"token {self._token}"}
        request = HTTPRequest(
            f"{self._url}/{address}",
            method,
            headers if body is None else {**headers, "Content-Type": "application/json"},
            body,
            connect_timeout=TIMEOUT_SECONDS,
            request_timeout=TIMEOUT_SECONDS,
            # A redirect would carry the token to wherever it points.
            follow_redirects=False,
        )
        try:
            response = await AsyncHTTPClient().fetch(request, raise_error=False)
        except (OSError, HTTPClientError) as error:
            raise SourceError(HTTPStatus.BAD_GATEWAY, DOWN) from error
        answer = _json_object(response.body)
        if response.code != HTTPStatus.OK:
            raise _problem(response.code, answer)
        if answer is None:
            raise SourceError(HTTPStatus.BAD_GATEWAY, DOWN)
        return answer


class LocalCatalogue:
    """The library's own catalogue, for a JupyterLab outside the hub."""

    async def catalogue(self, text: str, offset: int, limit: int) -> dict[str, Any]:
        """List the catalogue entries that match ``text``, as one page."""
        from imagine_lib.catalogue import search_entries

        found = search_entries(await self._entries(), text)
        page = found[offset : offset + limit]
        more = offset + limit
        return {
            "items": [entry.model_dump(mode="json") for entry in page],
            "total": len(found),
            "next": more if more < len(found) else None,
        }

    async def entry(self, name: str) -> dict[str, Any]:
        """Give one catalogue entry."""
        from imagine_lib.catalogue.search import find_entry
        from imagine_lib.errors import CatalogueError

        entries = await self._entries()
        try:
            return find_entry(entries, name).model_dump(mode="json")
        except CatalogueError as error:
            raise SourceError(HTTPStatus.NOT_FOUND, str(error)) from error

    async def mine(self, text: str, offset: int, limit: int) -> dict[str, Any]:  # noqa: ARG002
        """Share nothing, and say why."""
        return {"items": [], "total": 0, "next": None, "note": OUTSIDE_THE_HUB}

    async def shared(self, text: str, offset: int, limit: int) -> dict[str, Any]:
        """Share nothing, and say why."""
        return await self.mine(text, offset, limit)

    async def model(self, owner: str, name: str) -> dict[str, Any]:  # noqa: ARG002
        """Share nothing, and say why."""
        raise SourceError(HTTPStatus.NOT_FOUND, OUTSIDE_THE_HUB)

    async def withdraw(self, owner: str, name: str, version: int, reason: str) -> dict[str, Any]:  # noqa: ARG002
        """Share nothing, and say why."""
        raise SourceError(HTTPStatus.NOT_FOUND, OUTSIDE_THE_HUB)

    async def _entries(self) -> list[CatalogueEntry]:
        # Imported late: a server under the hub never needs the library, and starts faster without it.
        from imagine_lib.catalogue import default_location, load
        from imagine_lib.errors import CatalogueError

        try:
            # In a thread: the catalogue may be a URL, and the server has kernels to serve meanwhile.
            return await asyncio.to_thread(load, default_location())
        except CatalogueError as error:
            raise SourceError(HTTPStatus.BAD_GATEWAY, str(error)) from error


def from_environment() -> Source:
    """Choose by what the hub put into this server's environment."""
    url = os.environ.get("IMAGINE_PLATFORM_URL", "")
    if url:
        return Platform(url, os.environ.get("JUPYTERHUB_API_TOKEN", ""), os.environ.get("JUPYTERHUB_USER", ""))
    return LocalCatalogue()


def _address(*parts: str) -> str:
    """Join the parts of an address so that none can lead out of its place."""
    return "/".join(quote(part, safe="") for part in parts)


def _json_object(body: bytes | None) -> dict[str, Any] | None:
    try:
        value = json.loads(body or b"")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _problem(status: int, body: dict[str, Any] | None) -> SourceError:
    """Turn the platform's refusal into ours, and keep its sentence where it has one."""
    detail = (body or {}).get("detail")
    sentence = detail if isinstance(detail, str) and detail else DOWN
    if status < HTTPStatus.BAD_REQUEST:
        # A redirect, as to a login page: the hub no longer knows this server's token.
        return SourceError(HTTPStatus.BAD_GATEWAY, DOWN)
    return SourceError(status, sentence)
