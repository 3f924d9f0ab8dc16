"""Local copies of folders in Nextcloud, kept true by their ETags.

Training never reads through the mount: a folder is copied to local disk once, and again only where it changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.notebook import messages
from imagine_lib.storage.errors import Changed, changed
from imagine_lib.storage.filesystem import NextcloudFileSystem
from imagine_lib.storage.staging.copies import Copy
from imagine_lib.storage.staging.eviction import make_room
from imagine_lib.storage.transfer.download_many import download_many
from imagine_lib.storage.transfer.local import save, write_atomically
from imagine_lib.storage.webdav.listing import tree
from imagine_lib.storage.webdav.protocol import shown

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

    from imagine_lib.storage.webdav.client import Nextcloud
    from imagine_lib.storage.webdav.protocol import Entry

__all__ = ["is_remote", "stage", "write_atomically"]

ROUNDS = 3
"""How often a folder that changes while it is copied is looked at again."""
_EVERY = 100


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path lies in Nextcloud."""
    return str(path).startswith("nextcloud:")


def stage(
    uri: str,
    progress: Callable[[int, int], None] | None = None,
    filesystem: NextcloudFileSystem | None = None,
) -> Path:
    """Copy a file or folder of the user's Nextcloud to local disk.

    The copy is shared by all programs of the user, and dropped when room is needed and none of them uses it
    (``IMAGINE_CACHE_GB``). Interrupted, it goes on the next time where it was.

    Parameters
    ----------
    uri
        ``nextcloud:/path``.
    progress
        Called with the number of files fetched and the number to fetch.
    filesystem
        Whose storage; by default the signed-in user's.

    Returns
    -------
    pathlib.Path
        The local copy: what Nextcloud holds now. It stays so until the program ends, whoever stages the folder again.

    Raises
    ------
    StorageError
        The storage is down, refuses, or the local disk is full.
    FileNotFoundError
        There is nothing at that path.
    """
    filesystem = filesystem or NextcloudFileSystem()
    path = filesystem._strip_protocol(uri)
    copy = Copy(filesystem.credential, path)
    with copy.changing():
        top: Entry = filesystem.run(_refresh(filesystem.client, copy, path, progress or _print_progress))
    return copy.files if top.folder else copy.target(path)


async def _refresh(cloud: Nextcloud, copy: Copy, path: str, progress: Callable[[int, int], None]) -> Entry:
    """Make the copy what Nextcloud holds now, empty folders too: one may be a class that lacks its images."""
    for _ in range(ROUNDS):
        entries = await tree(cloud, path)
        files = [entry for entry in entries if not entry.folder]
        wanted = copy.fit(entries)
        make_room(copy.root, sum(entry.size for entry in wanted), shown(path))
        if await _fetch(cloud, copy, path, files, wanted, progress):
            return entries[0]
    raise changed(shown(path))


async def _fetch(
    cloud: Nextcloud,
    copy: Copy,
    path: str,
    files: list[Entry],
    wanted: list[Entry],
    progress: Callable[[int, int], None],
) -> bool:
    """Bring files into the copy; tell whether all were still what the listing says."""
    steady = True
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        progress(done, len(wanted))

    def keep(entry: Entry, content: bytes) -> None:
        copy.keep(entry, content)
        count()

    async def fetch(entry: Entry) -> None:
        nonlocal steady
        try:
            moment = entry.modified.timestamp() if entry.modified else None
            await save(cloud, entry.path, copy.target(entry.path), entry.etag, moment)
        except (Changed, FileNotFoundError):
            steady = False
            return
        copy.note(entry)
        count()

    await download_many(cloud, path, files, wanted, keep, fetch)
    return steady


def _print_progress(done: int, total: int) -> None:
    if done == total or done % _EVERY == 0:
        print(f"Fetched {done} of {total} files from Nextcloud", file=messages())
