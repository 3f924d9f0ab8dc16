"""What lies where: one file, a folder, a whole tree, or a large folder page by page."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from imagine_lib.storage.errors import Damaged, Refusal, changed
from imagine_lib.storage.webdav.protocol import PROPERTIES, WITH_MOUNTS, Entry, Listing, shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import httpx

    from imagine_lib.storage.webdav.client import Nextcloud

T = TypeVar("T")

NO_TREES = {400, 403, 501}
"""What servers say that do not list a whole tree at once."""
PAGE = 1000
XML = {"Content-Type": "application/xml; charset=utf-8", "Accept-Encoding": "gzip"}


@dataclass(frozen=True)
class Page:
    """Some entries of a folder."""

    entries: list[Entry]
    total: int
    """How many there are in the folder."""
    following: str | None
    """What to ask the next page with; None after the last."""


async def describe(cloud: Nextcloud, path: str) -> Entry:
    """Describe one file or folder, by one request.

    Raises
    ------
    FileNotFoundError
        There is nothing of this name.
    StorageError
        The storage refuses or does not answer.
    """
    return (await _propfind(cloud, path, "0"))[0]


async def members(cloud: Nextcloud, path: str, part: str = "files") -> list[Entry]:
    """List a folder, by one request; of a file, return itself.

    Raises
    ------
    FileNotFoundError, StorageError
        As for ``describe``.
    """
    entries = await _propfind(cloud, path, "1", part)
    return entries[1:] if entries[0].folder else entries


async def tree(cloud: Nextcloud, path: str, mounts: bool = False) -> list[Entry]:
    """List everything at and below a path, itself first: by one request, where the server lists trees.

    Parameters
    ----------
    cloud, path
        Whose and which.
    mounts
        Whether what lies in another storage than the user's own is to be told.

    Raises
    ------
    FileNotFoundError, StorageError
        As for ``describe``.
    """
    wanted = WITH_MOUNTS if mounts else PROPERTIES
    try:
        return await _propfind(cloud, path, "infinity", wanted=wanted)
    except Refusal as error:
        if error.status not in NO_TREES:
            raise
    found = await _propfind(cloud, path, "0", wanted=wanted)
    level = [entry.path for entry in found if entry.folder]
    while level:
        try:
            lists = await asyncio.gather(*(_propfind(cloud, folder, "1", wanted=wanted) for folder in level))
        except FileNotFoundError:  # of a folder below; the path itself was there a moment ago
            raise changed(shown(path)) from None
        entries = [entry for folder, *below in lists for entry in below]
        found += entries
        level = [entry.path for entry in entries if entry.folder]
    return found


async def arriving(cloud: Nextcloud, path: str) -> AsyncIterator[Entry]:
    """Yield a folder's members while the listing arrives, so that a hundred thousand of them take no memory.

    Raises
    ------
    FileNotFoundError, StorageError
        As for ``describe``; also in the middle, if the listing breaks off.
    """
    queue: asyncio.Queue[list[Entry] | Exception | None] = asyncio.Queue(1)
    passed = 0

    async def pass_on(response: httpx.Response) -> None:
        nonlocal passed
        seen = 0
        async for batch in _batches(response, cloud.root(), path):
            fresh = batch[max(0, passed - seen) :]  # a listing that broke off is asked for again, from its beginning
            seen += len(batch)
            passed = max(passed, seen)
            await queue.put(fresh)
        if not seen:  # an answer without even the folder itself says nothing about what is in it
            raise Damaged

    async def ask() -> None:
        try:
            await _asked(cloud, path, "1", pass_on)
            await queue.put(None)
        except Exception as error:
            await queue.put(error)

    asking = asyncio.create_task(ask())
    try:
        while (batch := await queue.get()) is not None:
            if isinstance(batch, Exception):
                raise batch
            for entry in batch:
                if entry.path != path:
                    yield entry
    finally:
        asking.cancel()


async def page(cloud: Nextcloud, path: str, following: str | None = None, count: int = PAGE) -> Page:
    """List a part of a folder.

    Parameters
    ----------
    cloud
        Whose storage.
    path
        The folder.
    following
        From the page before; None for the first.
    count
        Entries on a page.

    Raises
    ------
    FileNotFoundError, StorageError
        As for ``describe``.
    """
    token, start, counted = (following or ":0:0").rsplit(":", 2)
    offset = int(start)
    headers = {"X-NC-Paginate": "true", "X-NC-Paginate-Count": str(count)}
    if token:
        headers |= {"X-NC-Paginate-Token": token, "X-NC-Paginate-Offset": start}
    told: dict[str, str] = {}

    async def take(response: httpx.Response) -> list[Entry]:
        told.update(response.headers)
        found = await _read(response, cloud.root(), path)
        if not token and not found:
            raise Damaged
        return found

    found = await _asked(cloud, path, "1", take, headers)
    entries = [entry for entry in found if entry.path != path]
    paged = bool(token) or told.get("x-nc-paginate") == "true"
    # What a server counts has the folder itself in it.
    total = int(told.get("x-nc-paginate-total", counted)) if paged else len(found)
    more = offset + count < total  # also after an empty page, whose files were deleted meanwhile
    token = told.get("x-nc-paginate-token", token) if paged else ""
    if not paged:
        entries = found[offset : offset + count]
        entries = [entry for entry in entries if entry.path != path]
    return Page(entries, total - 1, f"{token}:{offset + count}:{total}" if more else None)


async def _propfind(
    cloud: Nextcloud, path: str, depth: str, part: str = "files", wanted: bytes = PROPERTIES
) -> list[Entry]:
    async def take(response: httpx.Response) -> list[Entry]:
        found = await _read(response, cloud.root(part), path)
        if not found or found[0].path != path:
            raise Damaged
        return found

    return await _asked(cloud, path, depth, take, part=part, wanted=wanted)


async def _asked(
    cloud: Nextcloud,
    path: str,
    depth: str,
    take: Callable[[httpx.Response], Awaitable[T]],
    headers: dict[str, str] | None = None,
    part: str = "files",
    wanted: bytes = PROPERTIES,
) -> T:
    return await cloud.exchange(
        "PROPFIND",
        cloud.address(path, part),
        take,
        about=shown(path),
        headers={**XML, "Depth": depth, **(headers or {})},
        body=wanted,
    )


async def _read(response: httpx.Response, root: str, path: str) -> list[Entry]:
    return [entry async for batch in _batches(response, root, path) for entry in batch]


async def _batches(response: httpx.Response, root: str, path: str) -> AsyncIterator[list[Entry]]:
    listing = Listing(root, path)
    async for block in response.aiter_bytes():
        if found := listing.feed(block):
            yield found
    listing.finish()
