"""Deletes on one side of a sync what was deleted on the other, after a second look at that other side.

A listing can be wrong: a server may leave out what it could not read, and a disk may know a file by another spelling
of its name. What is deleted here comes back from nowhere, so both looks must agree.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError
from imagine_lib.storage.changing import remove
from imagine_lib.storage.dav import shown
from imagine_lib.storage.listing import members
from imagine_lib.storage.refusals import Unavailable
from imagine_lib.storage.running import each

if TYPE_CHECKING:
    from imagine_lib.storage.dav import Entry
    from imagine_lib.storage.twofolders import TwoFolders


async def delete_here(two: TwoFolders, paths: list[str], folders: list[str]) -> None:
    """Delete local files that are as they were at the last sync, and folders in which nothing is left.

    Raises
    ------
    StorageError
        The storage does not answer.
    """
    there: set[str] = set()

    async def look(folder: str) -> None:
        there.update(entry.path for entry in await _members(two, folder))

    await each({two.remote(path).rpartition("/")[0] for path in paths}, look, two.cloud.in_flight)
    for path in paths:
        try:
            if two.remote(path) in there:
                raise StorageError(
                    f"{shown(two.remote(path))} is there after all and was not deleted here; sync again."
                )
            two.require_untouched(path)
            two.place(path).unlink()
        except (StorageError, OSError) as error:
            two.fail(path, error)
        else:
            del two.known.files[path]
            two.report.deleted_here.append(path)
        two.step()
    for folder in reversed(folders):
        try:
            two.place(folder).rmdir()
        except (StorageError, OSError):  # something is in it, which stays
            continue
        two.known.folders.discard(folder)


async def delete_there(two: TwoFolders, paths: list[str], folders: list[str]) -> None:
    """Delete files in Nextcloud that are as they were at the last sync, and folders in which nothing is left.

    Raises
    ------
    StorageError
        The storage does not answer.
    """
    for path in paths:
        try:
            _require_gone(two, path)
            await remove(two.cloud, two.remote(path), two.there.files[path].etag)
        except Unavailable:
            raise
        except (StorageError, OSError) as error:
            two.fail(path, error)
        else:
            del two.known.files[path]
            two.report.deleted_there.append(path)
        two.step()
    for folder in reversed(folders):
        try:
            if not await _members(two, two.remote(folder)):
                await remove(two.cloud, two.remote(folder))
                two.known.folders.discard(folder)
        except Unavailable:
            raise
        except StorageError as error:
            two.fail(folder, error)
        except FileNotFoundError:
            two.known.folders.discard(folder)


async def _members(two: TwoFolders, folder: str) -> list[Entry]:
    try:
        return await members(two.cloud, folder)
    except FileNotFoundError:
        return []


def _require_gone(two: TwoFolders, path: str) -> None:
    """Look once more whether a local file is gone.

    Raises
    ------
    StorageError
        It is not, or nobody can tell.
    """
    place = two.root / path
    try:
        status = place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISDIR(status.st_mode):
        raise StorageError(f"{place} is there after all, and was not deleted in Nextcloud; sync again.")
