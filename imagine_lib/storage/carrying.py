"""Carries files between a local folder and one in Nextcloud, each by itself: one that fails stops no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError
from imagine_lib.storage.bulk import put_many
from imagine_lib.storage.changing import make_all_folders
from imagine_lib.storage.content import Content
from imagine_lib.storage.fetching import fetch_many
from imagine_lib.storage.local import put_down, save, stamp_of
from imagine_lib.storage.refusals import Unavailable
from imagine_lib.storage.wishes import Wish

if TYPE_CHECKING:
    from imagine_lib.storage.dav import Entry
    from imagine_lib.storage.twofolders import TwoFolders


async def upload(two: TwoFolders, paths: list[str], folders: list[str]) -> None:
    """Carry files, and folders without any, to Nextcloud.

    Raises
    ------
    StorageError
        The storage does not answer, or does not take the folder itself.
    """
    refused = await make_all_folders(two.cloud, map(two.remote, folders))
    if why := refused.get(two.top):
        raise why
    for folder in folders:
        if why := refused.get(two.remote(folder)):
            two.fail(folder, why)
        else:
            two.known.folders.add(folder)
    wishes = []
    for path in paths:
        theirs = two.there.files.get(path)
        try:
            if why := refused.get(two.remote(path).rpartition("/")[0]):
                raise why
            content = Content.of(two.here.files[path][0])
        except (StorageError, OSError) as error:
            two.fail(path, error)
            two.step()
        else:
            wishes.append(Wish(two.remote(path), content, theirs is None, theirs.etag if theirs else ""))

    def done(wish: Wish, etag: str) -> None:
        path = two.below(wish.path)
        two.known.files[path] = etag, two.here.files[path][1]
        two.known.doubtful.discard(path)
        two.report.uploaded.append(path)
        two.step()

    def failed(wish: Wish, why: Exception) -> None:
        two.fail(two.below(wish.path), why)
        two.step()

    two.known.doubt(two.below(wish.path) for wish in wishes)
    await put_many(two.cloud, wishes, done, failed)


async def download(two: TwoFolders, paths: list[str], folders: list[str]) -> None:
    """Carry files, and folders without any, here.

    Raises
    ------
    StorageError
        The storage does not answer.
    """
    for folder in folders:
        try:
            two.place(folder).mkdir(parents=True, exist_ok=True)
        except (StorageError, OSError) as error:
            two.fail(folder, error)
        else:
            two.known.folders.add(folder)

    def done(path: str) -> None:
        two.known.files[path] = two.there.files[path].etag, stamp_of(two.place(path).stat())
        two.known.doubtful.discard(path)
        two.report.downloaded.append(path)

    def keep(entry: Entry, content: bytes) -> None:
        path = two.below(entry.path)
        try:
            put_down(two.place(path), content, _moment(entry), lambda: two.require_untouched(path))
            done(path)
        except (StorageError, OSError) as error:
            two.fail(path, error)
        two.step()

    async def fetch(entry: Entry) -> None:
        path = two.below(entry.path)

        def check() -> None:
            two.require_untouched(path)

        try:
            await save(two.cloud, entry.path, two.place(path), entry.etag, _moment(entry), check)
            done(path)
        except Unavailable:
            raise
        except (StorageError, OSError) as error:
            two.fail(path, error)
        two.step()

    wanted = [two.there.files[path] for path in paths]
    await fetch_many(two.cloud, two.top, list(two.there.files.values()), wanted, keep, fetch)


def _moment(entry: Entry) -> float | None:
    return entry.modified.timestamp() if entry.modified else None
