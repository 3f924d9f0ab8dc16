"""Reads files: one request each, parts of large ones side by side, checked for length, range and checksum."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError
from imagine_lib.storage import errors
from imagine_lib.storage.concurrency import each
from imagine_lib.storage.errors import Damaged, NotAFile
from imagine_lib.storage.transfer.checksums import check, digest_of_file, is_misstated, stated_checksum
from imagine_lib.storage.webdav.listing import describe
from imagine_lib.storage.webdav.protocol import entity_tag, last_modified, shown

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from imagine_lib.storage.webdav.client import Nextcloud

PART = 64 * 1024**2
"""Bytes of a large file that one request reads: what breaks off is asked for again from where it broke."""
FIRST_PART = 8 * 1024**2
"""Bytes that are held in memory, of several files at a time; what follows goes to the disk as it arrives."""
PARALLEL_PARTS = 3
ROUNDS = 3
"""How often a large file is read that arrives damaged in another way each time."""
LONGEST_SKIP = 16 * 1024**2
"""Bytes that are read in vain where a server sends a whole file for a part of it."""
_PART_OR_END = frozenset({412, 416})


@dataclass(frozen=True)
class Bytes:
    """A part of a file, and what was told with it."""

    content: bytes
    total: int
    """Bytes of the whole file."""
    etag: str
    modified: float | None = None
    """When it was changed, in seconds since 1970."""


async def read(cloud: Nextcloud, path: str, start: int = 0, end: int | None = None, etag: str = "") -> Bytes:
    """Read a file or a part of it, by one request.

    Parameters
    ----------
    cloud, path
        Whose and which.
    start, end
        In bytes; a negative start alone means the last bytes.
    etag
        What the file must still be.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    StorageError
        It is a folder, it changed, or the storage refuses or does not answer.
    """
    headers = _condition(etag) | ({} if start == 0 and end is None else {"Range": _range(start, end)})
    earlier: list[str] = []

    async def take(response: httpx.Response) -> Bytes:
        if response.status_code == 412:
            raise errors.changed(shown(path))
        if response.status_code == 416:
            return Bytes(b"", max(0, total_of(response)), entity_tag(response))
        found = await (_part if response.status_code == 206 else _cut)(response, path, start, end)
        if len(found.content) == found.total:
            check(response, found.content, path, earlier)
        return found

    found = await cloud.exchange(
        "GET", cloud.address(path), take, about=shown(path), headers=headers, allow=_PART_OR_END
    )
    if not found.etag and (await describe(cloud, path)).folder:
        raise NotAFile(f"{shown(path)} is a folder, not a file.")
    return found


async def download(cloud: Nextcloud, path: str, target: Path, etag: str = "") -> Bytes:
    """Read a file into one on disk, whose name is not its final one: parts side by side where it is large.

    Parameters
    ----------
    cloud, path, target
        Whose, which and where to.
    etag
        What the file must still be.

    Returns
    -------
    Bytes
        Its beginning, with the length and the entity tag of the whole.

    Raises
    ------
    FileNotFoundError, StorageError
        As for ``read``.
    OSError
        The disk is full.
    """
    earlier = ""
    for _ in range(ROUNDS):
        head = await read(cloud, path, 0, min(FIRST_PART, PART), etag)
        if head.total <= len(head.content):
            await asyncio.to_thread(target.write_bytes, head.content)
            return head
        with target.open("wb") as file:
            file.truncate(head.total)
            os.pwrite(file.fileno(), head.content, 0)
            stated = await _fetch_parts(cloud, path, file.fileno(), head)
        digest = await asyncio.to_thread(digest_of_file, target, stated)
        if stated.endswith(digest) or is_misstated(digest, earlier, path):
            return head
        earlier, etag = digest, head.etag
    raise errors.damaged(shown(path))


async def _fetch_parts(cloud: Nextcloud, path: str, handle: int, head: Bytes) -> str:
    """Read what follows a file's beginning; return the checksum that the file was stored with, if one was."""
    stated: list[str] = []

    async def fetch(start: int) -> None:
        stated.append(await _fetch_part(cloud, path, handle, start, min(start + PART, head.total), head.etag))

    await each(range(len(head.content), head.total, PART), fetch, PARALLEL_PARTS)
    return stated[0]


async def _fetch_part(cloud: Nextcloud, path: str, handle: int, start: int, end: int, etag: str) -> str:
    """Read a part into its place; after a break, go on where it broke."""
    position = start

    def headers() -> dict[str, str]:
        return {"Range": _range(position, end)} | _condition(etag)

    async def take(response: httpx.Response) -> str:
        nonlocal position
        if response.status_code in _PART_OR_END:
            raise errors.changed(shown(path))
        at = _first(response) if response.status_code == 206 else 0
        if not 0 <= at <= position:
            raise Damaged
        async for block in response.aiter_raw():
            useful = block[max(0, position - at) : end - at]
            os.pwrite(handle, useful, position)
            position, at = position + len(useful), at + len(block)
            response.extensions["retries"].renew()
            if at >= end:
                break
        if position != end:
            raise Damaged
        return stated_checksum(response)

    return await cloud.exchange(
        "GET", cloud.address(path), take, about=shown(path), headers=headers, allow=_PART_OR_END
    )


def _condition(etag: str) -> dict[str, str]:
    return {"If-Match": f'"{etag}"'} if etag else {}


def _range(start: int, end: int | None) -> str:
    """Ask for a part; never for byte 0 alone, since a Nextcloud takes a last byte of 0 for none and sends all."""
    return f"bytes={start}" if start < 0 else f"bytes={start}-{'' if end is None else max(1, end - 1)}"


async def _part(response: httpx.Response, _: str, start: int, end: int | None) -> Bytes:
    content = await response.aread()
    total, first = total_of(response), _first(response)
    expected = max(0, total + start) if start < 0 else start
    last = total if end is None else min(end, total)
    content = content[: last - expected]
    if first != expected or len(content) != last - expected:
        raise Damaged
    return Bytes(content, total, entity_tag(response), last_modified(response))


async def _cut(response: httpx.Response, path: str, start: int, end: int | None) -> Bytes:
    """Take what is wanted out of a whole file."""
    stated = response.headers.get("Content-Length", "")
    if start > LONGEST_SKIP:
        raise StorageError(f"Your storage sends no parts of {shown(path)}: copy the file with stage() first.")
    kept, position = bytearray(), 0
    async for block in response.aiter_raw():
        kept += block[max(0, start - position) if start > 0 else 0 : None if end is None else max(0, end - position)]
        position += len(block)
        if end is not None and position >= end:
            break
    total = int(stated) if stated.isdecimal() else position
    if position < (total if end is None else min(end, total)):
        raise Damaged
    return Bytes(bytes(kept[start:] if start < 0 else kept), total, entity_tag(response), last_modified(response))


def _first(response: httpx.Response) -> int:
    text = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(text) if text.isdecimal() else -1


def total_of(response: httpx.Response) -> int:
    """Return the length of the whole file that a part is from; -1 if it is not told."""
    text = response.headers.get("Content-Range", "").rpartition("/")[2]
    return int(text) if text.isdecimal() else -1
