"""Brings many files of a folder here: small ones in one archive where the server offers that, others one by one.

An archive is one request for thousands of files, which a server answers ten times as fast as thousands of requests.
It is checked file by file against the listing; what did not arrive, or not as listed, is asked for by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from imagine_lib.storage.concurrency import each
from imagine_lib.storage.errors import Damaged, Refusal
from imagine_lib.storage.transfer.archive import Archive
from imagine_lib.storage.webdav.protocol import shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from imagine_lib.storage.webdav.client import Nextcloud
    from imagine_lib.storage.webdav.protocol import Entry

FEW = 8
"""Files below which an archive saves nothing."""
LARGE = 32 * 1024**2
"""Bytes from which on a file is better read by itself: an archive has each of its files in memory once."""
WASTE = 2
"""How many times what is wanted an archive may hold."""
TRIES = 3


@dataclass
class _Folder:
    """A folder and what is wanted of it."""

    folders: dict[str, _Folder] = field(default_factory=dict)
    wanted: int = 0
    wanted_bytes: int = 0
    all_bytes: int = 0
    largest: int = 0

    def is_worth_an_archive(self) -> bool:
        return self.wanted >= FEW and self.largest <= LARGE and self.all_bytes <= WASTE * self.wanted_bytes


async def download_many(
    cloud: Nextcloud,
    top: str,
    files: list[Entry],
    wanted: Iterable[Entry],
    keep: Callable[[Entry, bytes], None],
    fetch: Callable[[Entry], Awaitable[None]],
) -> None:
    """Bring files here.

    Parameters
    ----------
    cloud, top, files
        Whose, the folder, and every file at and below it.
    wanted
        Those that are brought.
    keep
        Given each that came in an archive, checked.
    fetch
        Brings one by itself.

    Raises
    ------
    StorageError
        The storage refuses or does not answer.
    """
    missing = {entry.path: entry for entry in wanted}
    offered = len(missing) >= FEW and (await cloud.capabilities()).archives
    for _ in range(TRIES):
        folders = _worthwhile(top, files, missing, cloud.user) if offered else []
        for folder in folders:
            offered = offered and await _fetch_archive(cloud, folder, files, missing, keep)
        if not folders or not offered:
            break
    await each(list(missing.values()), fetch, cloud.in_flight)


async def _fetch_archive(
    cloud: Nextcloud, folder: str, files: list[Entry], missing: dict[str, Entry], keep: Callable[[Entry, bytes], None]
) -> bool:
    """Take from a folder's archive what is missing; tell whether the server sends archives at all."""
    below = f"{folder}/" if folder else ""
    sizes = {entry.path[len(below) :]: entry.size for entry in files if entry.path.startswith(below)}

    def take_file(name: str, content: bytes) -> None:
        if entry := missing.get(f"{below}{name}"):
            keep(entry, content)
            del missing[entry.path]

    async def take(response: httpx.Response) -> bool:
        if "zip" not in response.headers.get("Content-Type", ""):
            return False
        archive = Archive(sizes, folder.rpartition("/")[2], take_file)
        try:
            async for block in response.aiter_raw():
                archive.feed(block)
        except (Damaged, httpx.RequestError):
            pass  # the files that have arrived are whole; the next archive, or each by itself, brings the others
        return True

    try:
        headers = {"Accept": "application/zip"}
        return await cloud.exchange("GET", cloud.address(folder), take, about=shown(folder), headers=headers)
    except (FileNotFoundError, Refusal):
        return False


def _worthwhile(top: str, files: list[Entry], missing: dict[str, Entry], user: str) -> list[str]:
    """Return the folders that are worth an archive, the uppermost ones."""
    root = _Folder()
    for entry in files:
        relative = entry.path[len(top) :].strip("/") if top else entry.path
        folder = root
        _count(folder, entry, missing)
        for name in relative.split("/")[:-1]:
            folder = folder.folders.setdefault(name, _Folder())
            _count(folder, entry, missing)
    found: list[str] = []
    waiting = [(top, root)]
    while waiting:
        path, folder = waiting.pop()
        if folder.is_worth_an_archive() and not _is_garbled(path, files, user):
            found.append(path)
        else:
            waiting += [(f"{path}/{name}".strip("/"), below) for name, below in folder.folders.items()]
    return sorted(found)


def _is_garbled(folder: str, files: list[Entry], user: str) -> bool:
    """Tell whether a folder's archive would have wrong names in it, which may be those of other files.

    To name a file, a Nextcloud takes the path of the folder above out of the file's: wherever it stands in it, not at
    its beginning alone. In the archive of all that user ``rosa`` has, ``d/rosa2.jpg`` is called ``d2.jpg``.
    """
    home = f"/{user}/files/"
    above = f"{home}{folder}".rstrip("/").rpartition("/")[0]
    below = f"{folder}/" if folder else ""
    return any(f"{home}{entry.path}".count(above) > 1 for entry in files if entry.path.startswith(below))


def _count(folder: _Folder, entry: Entry, missing: dict[str, Entry]) -> None:
    folder.all_bytes += entry.size
    folder.largest = max(folder.largest, entry.size)
    if entry.path in missing:
        folder.wanted += 1
        folder.wanted_bytes += entry.size
