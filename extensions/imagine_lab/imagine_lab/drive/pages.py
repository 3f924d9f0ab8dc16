"""A folder page by page, as the browser asks for it."""

from __future__ import annotations

import contextlib
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from imagine_lib.storage.webdav import listing

from . import models
from .refused import Refused

if TYPE_CHECKING:
    from imagine_lib.storage.webdav.client import Nextcloud
    from imagine_lib.storage.webdav.protocol import Entry

    from .models import Model

MOST_ENTRIES = 10_000
"""Of a folder on a server that lists it in one piece; the browser stops at as many where it asks page by page."""

_AFTER = re.compile(r"[\w.+/=-]{0,200}:\d{1,9}:\d{1,9}", re.ASCII)


async def page_of(cloud: Nextcloud, path: str, after: str | None = None) -> Model:
    """Return what a model of a folder has of its entries.

    Parameters
    ----------
    cloud, path
        Whose and which.
    after
        What the page before said is ``following``; None for the first.

    Raises
    ------
    FileNotFoundError, StorageError
        As for ``listing.page``.
    Refused
        No page has said that.
    """
    if after is not None and not _AFTER.fullmatch(after):
        raise Refused(HTTPStatus.BAD_REQUEST, "There is no such page: refresh the list.")
    if after is None and not (await cloud.capabilities()).pages:
        return _listed(*await _in_one_piece(cloud, path), None)
    page = await listing.page(cloud, path, after)
    return _listed(page.entries, page.total, page.following)


async def _in_one_piece(cloud: Nextcloud, path: str) -> tuple[list[Entry], int | None]:
    """List a folder by one request; return how many entries there are, None if there are too many to count."""
    entries: list[Entry] = []
    async with contextlib.aclosing(listing.arriving(cloud, path)) as arriving:  # type: ignore[type-var]
        async for entry in arriving:
            if len(entries) == MOST_ENTRIES:
                return entries, None
            entries.append(entry)
    return entries, len(entries)


def _listed(entries: list[Entry], total: int | None, following: str | None) -> Model:
    content = [models.of_entry(entry) for entry in entries]
    return {"content": content, "format": "json", "total": total, "following": following}
