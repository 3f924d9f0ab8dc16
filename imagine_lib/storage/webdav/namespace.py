"""Makes folders, removes, moves and copies; a repeat whose first try got through unseen is no error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError
from imagine_lib.storage.concurrency import each
from imagine_lib.storage.errors import Unavailable, exists, refusal
from imagine_lib.storage.webdav.listing import describe
from imagine_lib.storage.webdav.protocol import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

    from imagine_lib.storage.webdav.client import Nextcloud

_GONE = frozenset({404})
_THERE = frozenset({403, 405})
"""Of two that make a folder in the same moment, a Nextcloud says to one that it may not."""
_NO_PARENT = _THERE | {409}
_IN_THE_WAY = frozenset({404, 412})


async def make_folder(cloud: Nextcloud, path: str) -> None:
    """Make a folder in one that is there.

    Raises
    ------
    FileExistsError
        There is something of this name.
    StorageError
        There is no folder to make it in, or the storage refuses or does not answer.
    """
    response = await cloud.files("MKCOL", path, allow=_THERE)
    if not _is_made(response):
        await _require_there(cloud, path, response)
        raise exists(shown(path))


async def make_folders(cloud: Nextcloud, path: str, exist_ok: bool = False) -> None:
    """Make a folder and those above it; one request where those are there.

    Raises
    ------
    FileExistsError
        There is something of this name, and ``exist_ok`` does not allow it or it is a file.
    StorageError
        The storage refuses or does not answer.
    """
    if not path:
        if not exist_ok:
            raise exists(shown(path))
        return
    response = await cloud.files("MKCOL", path, allow=_NO_PARENT)
    if response.status_code == 409:
        await make_folders(cloud, path.rpartition("/")[0], exist_ok=True)
        response = await cloud.files("MKCOL", path, allow=_THERE)
    if _is_made(response):
        return
    await _require_there(cloud, path, response)
    if not (exist_ok and (await describe(cloud, path)).folder):
        raise exists(shown(path))


async def make_all_folders(cloud: Nextcloud, paths: Iterable[str]) -> dict[str, Exception]:
    """Make many folders and those above them, level by level and side by side; those that are there stay.

    Returns
    -------
    dict of str to Exception
        The folders that the storage refused, with those below them, and why.

    Raises
    ------
    StorageError
        The storage does not answer.
    """
    wanted = set(filter(None, paths))
    for path in list(wanted):
        while path := path.rpartition("/")[0]:
            wanted.add(path)
    levels: dict[int, list[str]] = {}
    for path in sorted(wanted):
        levels.setdefault(path.count("/"), []).append(path)
    refused: dict[str, Exception] = {}

    async def make(path: str) -> None:
        if why := refused.get(path.rpartition("/")[0]):
            refused[path] = why
            return
        try:
            await _require_there(cloud, path, await cloud.files("MKCOL", path, allow=_THERE))
        except Unavailable:
            raise
        except (StorageError, OSError) as error:
            refused[path] = error

    for _, level in sorted(levels.items()):
        await each(level, make, cloud.in_flight)
    return refused


def _is_made(response: httpx.Response) -> bool:
    return response.is_success or (response.status_code == 405 and response.extensions["retries"].unsure)


async def _require_there(cloud: Nextcloud, path: str, response: httpx.Response) -> None:
    """Raise the refusal to make a folder, unless it was refused because there is one now."""
    if response.status_code != 403:
        return
    try:
        await describe(cloud, path)
    except FileNotFoundError:
        raise refusal(response, shown(path)) from None


async def remove(cloud: Nextcloud, path: str, etag: str = "") -> None:
    """Remove a file, or a folder with all that is in it; it goes to the trash of the storage.

    Parameters
    ----------
    cloud, path
        Whose and which.
    etag
        What it must still be.

    Raises
    ------
    FileNotFoundError
        There is nothing of this name.
    FileExistsError
        It is something else by now.
    StorageError
        The storage refuses or does not answer.
    """
    if not path:
        raise StorageError("The whole storage is not deleted at once: name a file or folder in it.")
    headers = {"If-Match": f'"{etag}"'} if etag else {}
    response = await cloud.files("DELETE", path, headers=headers, allow=_GONE)
    if response.status_code == 404 and not response.extensions["retries"].unsure:
        raise refusal(response, shown(path))


async def move(cloud: Nextcloud, source: str, target: str, *, replace: bool = False, copy: bool = False) -> None:
    """Move or copy a file or a folder.

    Parameters
    ----------
    cloud, source, target
        Whose, from where and to where.
    replace
        Whether what is in the way is replaced.
    copy
        Whether the source stays.

    Raises
    ------
    FileNotFoundError
        There is no source.
    FileExistsError
        Something is in the way.
    StorageError
        The storage refuses or does not answer.
    """
    headers = {"Destination": cloud.address(target), "Overwrite": "T" if replace else "F"}
    response = await cloud.files("COPY" if copy else "MOVE", source, headers=headers, allow=_IN_THE_WAY)
    if response.is_success:
        return
    # Something in the way would have been said before a missing source: what is there now, this move has brought.
    unsure = response.extensions["retries"].unsure or (response.status_code == 404 and not replace and not copy)
    if unsure and await _has_moved(cloud, source, target, copy):
        return
    raise refusal(response, shown(target if response.status_code == 412 else source))


async def _has_moved(cloud: Nextcloud, source: str, target: str, copy: bool) -> bool:
    try:
        there = await describe(cloud, target)
    except FileNotFoundError:
        return False
    try:
        here = await describe(cloud, source)
    except FileNotFoundError:
        return True
    return copy and (here.folder, here.size) == (there.folder, there.size)
