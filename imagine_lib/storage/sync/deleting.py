"""Deletes on one side of a sync what was deleted on the other, after a second look at that other side.

A listing can be wrong: a server may leave out what it could not read, and a disk may know a file by another spelling
of its name. What is deleted here comes back from nowhere, so both looks must agree.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError
from imagine_lib.storage.concurrency import each
from imagine_lib.storage.errors import Unavailable
from imagine_lib.storage.webdav.listing import members
from imagine_lib.storage.webdav.namespace import remove
from imagine_lib.storage.webdav.protocol import shown

if TYPE_CHECKING:
    from imagine_lib.storage.sync.pair import FolderPair
    from imagine_lib.storage.webdav.protocol import Entry


async def delete_here(pair: FolderPair, paths: list[str], folders: list[str]) -> None:
    """Delete local files that are as they were at the last sync, and folders in which nothing is left.

    Raises
    ------
    StorageError
        The storage does not answer.
    """
    there: set[str] = set()

    async def look(folder: str) -> None:
        there.update(entry.path for entry in await _members(pair, folder))

    await each({pair.remote(path).rpartition("/")[0] for path in paths}, look, pair.cloud.in_flight)
    for path in paths:
        try:
            if pair.remote(path) in there:
                raise StorageError(
                    f"{shown(pair.remote(path))} is there after all and was not deleted here; sync again."
                )
            pair.require_untouched(path)
            pair.place(path).unlink()
        except (StorageError, OSError) as error:
            pair.fail(path, error)
        else:
            del pair.state.files[path]
            pair.report.deleted_here.append(path)
        pair.step()
    for folder in reversed(folders):
        try:
            pair.place(folder).rmdir()
        except (StorageError, OSError):  # something is in it, which stays
            continue
        pair.state.folders.discard(folder)


async def delete_there(pair: FolderPair, paths: list[str], folders: list[str]) -> None:
    """Delete files in Nextcloud that are as they were at the last sync, and folders in which nothing is left.

    Raises
    ------
    StorageError
        The storage does not answer.
    """
    for path in paths:
        try:
            _require_gone(pair, path)
            await remove(pair.cloud, pair.remote(path), pair.there.files[path].etag)
        except Unavailable:
            raise
        except (StorageError, OSError) as error:
            pair.fail(path, error)
        else:
            del pair.state.files[path]
            pair.report.deleted_there.append(path)
        pair.step()
    for folder in reversed(folders):
        try:
            if not await _members(pair, pair.remote(folder)):
                await remove(pair.cloud, pair.remote(folder))
                pair.state.folders.discard(folder)
        except Unavailable:
            raise
        except StorageError as error:
            pair.fail(folder, error)
        except FileNotFoundError:
            pair.state.folders.discard(folder)


async def _members(pair: FolderPair, folder: str) -> list[Entry]:
    try:
        return await members(pair.cloud, folder)
    except FileNotFoundError:
        return []


def _require_gone(pair: FolderPair, path: str) -> None:
    """Look once more whether a local file is gone.

    Raises
    ------
    StorageError
        It is not, or nobody can tell.
    """
    place = pair.root / path
    try:
        status = place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISDIR(status.st_mode):
        raise StorageError(f"{place} is there after all, and was not deleted in Nextcloud; sync again.")
