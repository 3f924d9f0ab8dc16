"""One Nextcloud as its user sees it: requests that are repeated where that helps and never where it harms."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

import httpx

from imagine_lib.errors import StorageError
from imagine_lib.storage import errors
from imagine_lib.storage.credentials import Key
from imagine_lib.storage.errors import Damaged, refusal
from imagine_lib.storage.webdav.capabilities import Capabilities, read_capabilities
from imagine_lib.storage.webdav.connection import CONNECT_SECONDS, Connection
from imagine_lib.storage.webdav.protocol import encoded, shown
from imagine_lib.storage.webdav.retries import RetryState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from imagine_lib.storage.credentials import Credential
    from imagine_lib.storage.webdav.connection import Body

T = TypeVar("T")

IN_FLIGHT = 8
"""A key that is revoked meanwhile costs eight wrong tries; the eleventh would lock out all behind this address."""
MOST_IN_FLIGHT = 32
PATIENCE = 30.0
TIMEOUT = 60.0
SLOWEST_SERVER = 4 * 1024**2
"""Bytes a second that a server handles at least, before it answers."""
LOCKED_OUT_SECONDS = 120.0
ONCE = frozenset({"POST"})
"""Methods that do something more each time; the callers of the others know what a repeat's answer means."""
OCS = {"OCS-APIRequest": "true", "Accept": "application/json"}


class Nextcloud:
    """A user's Nextcloud.

    Parameters
    ----------
    credential
        Whose; by default the credential in the user's home, read again whenever its file changes.
    timeout
        Seconds without a byte after which a request is given up; more for what is large.
    patience
        Seconds for which a failed request is tried again.
    in_flight
        Requests at a time, 32 at most.
    pool_timeout
        Seconds that a request waits for one of the others to end; None: as long as that takes.
    """

    def __init__(
        self,
        credential: Credential | None = None,
        *,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        in_flight: int = IN_FLIGHT,
        pool_timeout: float | None = None,
    ) -> None:
        self.key = Key(credential)
        self.timeout, self.patience, self.pool_timeout = timeout, patience, pool_timeout
        self.in_flight = min(in_flight, MOST_IN_FLIGHT)
        account = self.key.account
        self.url, self.user = account.url.rstrip("/"), account.user
        self.connection = Connection(self.key, self.in_flight)
        self._slots = asyncio.Semaphore(self.in_flight)
        self._locked_out_until = 0.0
        self._capabilities: Capabilities | None = None
        self._learning = asyncio.Lock()

    def address(self, path: str, part: str = "files") -> str:
        """Return the address of a path in one part of the user's account: ``files`` or ``uploads``."""
        return f"{self.url}/remote.php/dav/{part}/{encoded(self.user)}/{encoded(path)}"

    def root(self, part: str = "files") -> str:
        """Return the decoded path that addresses in a listing of a part begin with."""
        return f"{unquote(urlsplit(self.url).path)}/remote.php/dav/{part}/{self.user}"

    async def capabilities(self) -> Capabilities:
        """Return what the server can do; asked once."""
        async with self._turn(self._learning):
            if self._capabilities is None:
                self._capabilities = await read_capabilities(self)
            return self._capabilities

    async def files(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request about a path in the user's files; see ``exchange``."""
        return await self.request(method, self.address(path), about=shown(path), **options)

    async def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        """Send a request and read its answer whole; see ``exchange``."""
        return await self.exchange(method, url, whole, **options)

    async def exchange(
        self,
        method: str,
        url: str,
        take: Callable[[httpx.Response], Awaitable[T]],
        *,
        about: str = "",
        headers: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
        body: Body = b"",
        size: int = 0,
        allow: frozenset[int] = frozenset(),
        once: bool | None = None,
    ) -> T:
        """Send a request until it is answered, and take the answer in.

        Parameters
        ----------
        method, url
            Of the request.
        headers
            Likewise, or what gives them anew for each try.
        take
            Reads the open answer. Called anew for each try; may raise ``Damaged`` to have another one.
        about
            What it concerns, for the user.
        body
            Bytes, or what yields them anew for each try.
        size
            Bytes that the server handles before it answers.
        allow
            Refusals that ``take`` wants to see. The answer's ``extensions["retries"].unsure`` tells whether they may
            be the effect of an earlier try whose answer was lost.
        once
            Whether carrying it out twice would do harm; by default so for POST.

        Raises
        ------
        StorageError
            The storage refuses or does not answer.
        FileNotFoundError, FileExistsError
            Likewise, with 404; with 405 and 412.
        """
        retries = RetryState(self.patience, idempotent=not (method in ONCE if once is None else once))
        about = about or self.url
        failure: Exception
        while True:
            self._refuse_when_locked_out()
            try:
                async with self._turn(self._slots):
                    now = headers() if callable(headers) else headers or {}
                    response = await self.connection.send(method, url, now, body, self._timeout(size))
                    try:
                        response.extensions["retries"] = retries
                        if response.is_success or response.status_code in allow:
                            return await take(response)
                        await response.aread()
                    finally:
                        await response.aclose()
            except (httpx.ConnectError, httpx.ConnectTimeout):
                failure, wait = errors.silent(self.url), retries.after_break(sent=False)
            except httpx.RequestError:
                failure, wait = errors.silent(self.url), retries.after_break(sent=True)
            except Damaged:
                failure, wait = errors.damaged(about), retries.after_break(sent=True)
            else:
                failure, wait = refusal(response, about), await self._after(response, retries)
            if wait is None:
                raise failure from None
            await asyncio.sleep(wait)

    async def ocs(
        self, method: str, path: str, *, about: str = "", fields: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Call the server's own interface; its refusals are for the caller to read."""
        url = f"{self.url}/ocs/v2.php/{path}"
        body, headers = b"", OCS
        if fields and method in {"POST", "PUT"}:
            body = str(httpx.QueryParams(dict(fields))).encode()
            headers = {**OCS, "Content-Type": "application/x-www-form-urlencoded"}
        elif fields:
            url = f"{url}?{httpx.QueryParams(dict(fields))}"
        allow = frozenset({400, 403, 404, 429})
        return await self.request(method, url, about=about, headers=headers, body=body, allow=allow)

    @contextlib.asynccontextmanager
    async def _turn(self, lock: asyncio.Lock | asyncio.Semaphore) -> AsyncIterator[None]:
        """Wait for what other requests hold, no longer than ``pool_timeout``, and hold it.

        Raises
        ------
        Unavailable
            It did not become free in time.
        """
        try:
            async with asyncio.timeout(self.pool_timeout):
                await lock.acquire()
        except TimeoutError:
            raise errors.busy(self.url) from None
        try:
            yield
        finally:
            lock.release()

    def _timeout(self, size: int) -> httpx.Timeout:
        read = self.timeout + size / SLOWEST_SERVER
        return httpx.Timeout(self.timeout, read=read, connect=min(self.timeout, CONNECT_SECONDS), pool=None)

    def _refuse_when_locked_out(self) -> None:
        if time.monotonic() < self._locked_out_until:
            raise errors.locked_out()

    async def _after(self, response: httpx.Response, retries: RetryState) -> float | None:
        wait = retries.after(response)
        if response.status_code == 429 and wait is None:
            self._locked_out_until = time.monotonic() + LOCKED_OUT_SECONDS
        if response.status_code == 503 and "/dav/" in response.url.path and b"Maintenance" not in response.content:
            await self._refuse_when_disabled()
        return wait

    async def _refuse_when_disabled(self) -> None:
        """Ask what WebDAV does not tell: to a disabled account it says 503, as if it were to pass."""
        url = f"{self.url}/ocs/v2.php/cloud/user"
        async with self._turn(self._slots):
            try:
                response = await self.connection.send("GET", url, OCS, b"", self._timeout(0))
                await response.aclose()
            except httpx.RequestError:
                return
            except StorageError:
                raise errors.disabled(self.url) from None


async def whole(response: httpx.Response) -> httpx.Response:
    """Read an answer to its end."""
    await response.aread()
    return response
