"""What many users do to a hub and to the platform, and how long each waits."""

from __future__ import annotations

import asyncio
import time
from statistics import quantiles
from typing import TYPE_CHECKING, TypeVar

import httpx

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

Given = TypeVar("Given")


class Person(httpx.AsyncClient):
    """Somebody's browser, whose connection to the hub stays open."""

    def __init__(self, hub: str, iam: str, name: str) -> None:
        super().__init__(base_url=hub, follow_redirects=True, timeout=120, trust_env=False)
        self.name = name
        self._iam = iam

    async def sign_in(self) -> None:
        """Sign in, by way of the IAM, and see the first page."""
        self.cookies.set("person", self.name)
        page = await self.get("/hub/oauth_login", params={"next": "/hub/home"})
        assert page.status_code == 200, page.text
        assert page.url.path == "/hub/home", page.url
        self.headers["X-XSRFToken"] = self.cookies.get("_xsrf", path="/hub/") or ""

    async def start_server(self) -> None:
        """Ask for a server."""
        answer = await self.post(f"/hub/api/users/{self.name}/server", json={})
        assert answer.status_code in (201, 202), answer.text


async def each(
    things: Iterable[Given], do: Callable[[Given], Awaitable[object]], at_once: int
) -> tuple[float, list[float]]:
    """Do something for each, some at once; return the seconds in all and for each."""
    slots, took = asyncio.Semaphore(at_once), []

    async def one(thing: Given) -> None:
        async with slots:
            begin = time.perf_counter()
            await do(thing)
            took.append(time.perf_counter() - begin)

    begin = time.perf_counter()
    await asyncio.gather(*(one(thing) for thing in things))
    return time.perf_counter() - begin, took


def p99(seconds: list[float]) -> float:
    """Return what 99 % waited at most."""
    return quantiles(seconds, n=100)[98]
