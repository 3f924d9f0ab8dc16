"""The HTTP side of the server part: read the question, ask the source, answer in JSON. No logic."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from . import sources, tutorials
from .drive import handlers as drive

if TYPE_CHECKING:
    from collections.abc import Awaitable

NAMESPACE = "imagine"
DEFAULT_LIMIT = 50
HIGHEST_LIMIT = 200
LONGEST_SEARCH = 200


class _Handler(APIHandler):
    auth_resource = NAMESPACE

    async def give(self, answer: Awaitable[dict[str, Any]]) -> None:
        """Answer with what the source says, or with its one sentence."""
        self.set_header("Cache-Control", "no-store")
        try:
            self.finish(await answer)
        except sources.SourceError as error:
            # Not an HTTPError: tornado takes its text for a log format, and doubles every percent sign in it.
            self.set_status(error.status)
            self.finish({"message": error.message})

    def search(self) -> tuple[str, int, int]:
        """Read what to search for, and which page of it."""
        text = self.get_query_argument("q", "").strip()[:LONGEST_SEARCH]
        return text, self._number("offset", 0, 10**6), self._number("limit", DEFAULT_LIMIT, HIGHEST_LIMIT)

    def _number(self, name: str, default: int, highest: int) -> int:
        text = self.get_query_argument(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise web.HTTPError(HTTPStatus.BAD_REQUEST, f"{name} must be a whole number")
        return min(int(text), highest)


class CatalogueHandler(_Handler):
    """``GET /imagine/catalogue?q=``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the catalogue."""
        await self.give(sources.from_environment().catalogue(*self.search()))


class EntryHandler(_Handler):
    """``GET /imagine/catalogue/{name}``."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Give one entry."""
        await self.give(sources.from_environment().entry(name))


class MineHandler(_Handler):
    """``GET /imagine/models/mine?q=``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the models that the user shares."""
        await self.give(sources.from_environment().mine(*self.search()))


class SharedHandler(_Handler):
    """``GET /imagine/models/shared?q=``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the models that others share with the user."""
        await self.give(sources.from_environment().shared(*self.search()))


class ModelHandler(_Handler):
    """``GET /imagine/models/{owner}/{name}``."""

    @web.authenticated
    @authorized
    async def get(self, owner: str, name: str) -> None:
        """Give one shared model."""
        await self.give(sources.from_environment().model(owner, name))


class WithdrawHandler(_Handler):
    """``POST /imagine/models/{owner}/{name}/versions/{version}/withdraw`` with ``{"reason": …}``."""

    @web.authenticated
    @authorized
    async def post(self, owner: str, name: str, version: str) -> None:
        """Take a version back."""
        body = self.get_json_body()
        reason = body.get("reason") if isinstance(body, dict) else None
        if not isinstance(reason, str) or not reason.strip():
            raise web.HTTPError(HTTPStatus.BAD_REQUEST, "reason must be a text")
        await self.give(sources.from_environment().withdraw(owner, name, int(version), reason.strip()))


class TutorialsHandler(_Handler):
    """``GET /imagine/tutorials``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the tutorials."""
        root = Path(self.contents_manager.root_dir)
        found = await asyncio.to_thread(tutorials.find, Path.home(), root)
        self.finish({"items": [asdict(tutorial) for tutorial in found]})


def add_handlers(web_app: web.Application) -> None:
    """Put the panel's addresses under the server's base URL."""

    def address(*parts: str) -> str:
        return url_path_join(web_app.settings["base_url"], NAMESPACE, *parts)

    web_app.add_handlers(
        ".*$",
        [
            (address("catalogue"), CatalogueHandler),
            (address("catalogue", "([^/]+)"), EntryHandler),
            (address("models", "mine"), MineHandler),
            (address("models", "shared"), SharedHandler),
            (address("models", "([^/]+)", "([^/]+)"), ModelHandler),
            (address("models", "([^/]+)", "([^/]+)", "versions", "([1-9][0-9]{0,8})", "withdraw"), WithdrawHandler),
            (address("tutorials"), TutorialsHandler),
            *((address(path), handler) for path, handler in drive.addresses()),
        ],
    )
