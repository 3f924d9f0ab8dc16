"""Sends one request to a Nextcloud with the user's key, and guards the key.

It goes to the address that it was given for and nowhere else. Until the server has taken it once, one request is
under way and no more, so that a wrong key is tried once and not thirty times.
"""

from __future__ import annotations

import asyncio
import http.cookiejar
import weakref
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx

from imagine_lib.storage.errors import Unavailable, dead_credential, led_away

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from imagine_lib.storage.credentials import Credential, Key

    Body = bytes | Callable[[], AsyncIterator[bytes]]

HOPS = 4
CONNECT_SECONDS = 10.0
AGENT = "iMagine workspace"
httpcore.AsyncHTTP11Connection.READ_NUM_BYTES = 1024**2  # its 64 KB keep a large file at two thirds of this speed
_READING = {"GET", "HEAD", "PROPFIND"}
_SAME_METHOD = {307, 308}


class Connection:
    """The connection to one Nextcloud.

    Parameters
    ----------
    key
        What it signs in with.
    connections
        How many are kept open for the next request.
    """

    def __init__(self, key: Key, connections: int) -> None:
        self._key = key
        self._url = key.account.url
        self._opened = False
        self._proven: str | None = None
        self._proving = asyncio.Lock()
        self.requests = 0
        """Sent so far."""
        self._http = httpx.AsyncClient(
            headers={"User-Agent": AGENT},
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=connections),
            # A session's cookie would outlive the key that it came with.
            cookies=http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,
        )

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Body, limits: httpx.Timeout
    ) -> httpx.Response:
        """Send a request; return the answer with its body unread, to be closed by the caller.

        Raises
        ------
        StorageError
            The key is refused, or the server points elsewhere, or nowhere.
        httpx.TransportError
            There is no answer.
        """
        if not self._opened:
            self._opened = True
            weakref.finalize(self, _close, self._http, asyncio.get_running_loop()).atexit = False
        refused: set[str] = set()
        for _ in range(HOPS):
            credential = self._key.current()
            authorization = await _authorization(credential)
            if authorization in refused:
                break
            content = body if isinstance(body, bytes) else body()
            request = self._http.build_request(
                method,
                url,
                headers={"Accept-Encoding": "identity", **headers, "Authorization": authorization},
                content=content or None,
                timeout=limits,
            )
            response = await self._carefully(request, credential, authorization)
            if response.status_code == 401:
                await response.aclose()
                refused.add(authorization)
            elif response.has_redirect_location:
                await response.aclose()
                url = self._followed(response)
            else:
                return response
        if refused:
            raise dead_credential()
        raise Unavailable(
            f"Your storage at {self._url} points from one address to the next without end: tell its operator."
        )

    async def _carefully(self, request: httpx.Request, credential: Credential, authorization: str) -> httpx.Response:
        if authorization == self._proven:
            return await self._sent(request, credential)
        async with self._proving:
            self._key.current()  # another request may have found out meanwhile that it is refused
            response = await self._sent(request, credential)
            if response.status_code != 401:
                self._proven = authorization
            return response

    async def _sent(self, request: httpx.Request, credential: Credential) -> httpx.Response:
        self.requests += 1
        response = await self._http.send(request, stream=True)
        if response.status_code == 401:
            self._proven = None
            self._key.refused(credential)
        return response

    def _followed(self, response: httpx.Response) -> str:
        """Return where a redirect leads, if the key may go there: the same server, or the same by https."""
        request = response.request
        target = urljoin(str(request.url), response.headers["Location"])
        (scheme, host, port), there = _origin(self._url), _origin(target)
        safer = scheme == "http" and there == ("https", host, 443)
        repeatable = request.method in _READING or response.status_code in _SAME_METHOD
        if repeatable and (safer or there == (scheme, host, port)):
            return target
        raise led_away(self._url, f"{urlsplit(target).scheme}://{urlsplit(target).netloc}")


def _close(connections: httpx.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
    """Close the connections of one that nothing refers to any more."""
    if loop.is_running():
        asyncio.run_coroutine_threadsafe(connections.aclose(), loop)


async def _authorization(credential: Credential) -> str:
    if credential.bearer:
        return await asyncio.to_thread(credential.authorization)
    return credential.authorization()


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
