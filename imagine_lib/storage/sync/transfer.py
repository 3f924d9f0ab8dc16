"""Transfers files between a local folder and one in Nextcloud, each by itself: one that fails stops no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError
from imagine_lib.storage.errors import Unavailable
from imagine_lib.storage.transfer.bulk import put_many
from imagine_lib.storage.transfer.content import Content
from imagine_lib.storage.transfer.download_many import download_many
from imagine_lib.storage.transfer.local import put_down, save, stamp_of
from imagine_lib.storage.transfer.upload import Upload
from imagine_lib.storage.webdav.namespace import make_all_folders

if TYPE_CHECKING:
    from imagine_lib.storage.sync.pair import FolderPair
    from imagine_lib.storage.webdav.protocol import Entry


async def upload_all(pair: FolderPair, paths: list[str], folders: list[str]) -> None:
    """Upload files, and make folders without any.

    Raises
    ------
    StorageError
        The storage does not answer, or does not take the folder itself.
    """
    refused = await make_all_folders(pair.cloud, map(pair.remote, folders))
    if why := refused.get(pair.top):
        raise why
    for folder in folders:
        if why := refused.get(pair.remote(folder)):
            pair.fail(folder, why)
        else:
            pair.state.folders.add(folder)
    uploads = []
    for path in paths:
        theirs = pair.there.files.get(path)
        try:
            if why := refused.get(pair.remote(path).rpartition("/")[0]):
                raise why
            content = Content.of(pair.here.files[path][0])
        except (StorageError, OSError) as error:
            pair.fail(path, error)
            pair.step()
        else:
            uploads.append(Upload(pair.remote(path), content, theirs is None, theirs.etag if theirs else ""))

    def done(upload: Upload, etag: str) -> None:
        path = pair.below(upload.path)
        pair.state.files[path] = etag, pair.here.files[path][1]
        pair.state.doubtful.discard(path)
        pair.report.uploaded.append(path)
        pair.step()

    def failed(upload: Upload, why: Exception) -> None:
        pair.fail(pair.below(upload.path), why)
        pair.step()

    pair.state.doubt(pair.below(upload.path) for upload in uploads)
    await put_many(pair.cloud, uploads, done, failed)


async def download_all(pair: FolderPair, paths: list[str], folders: list[str]) -> None:
    """Download files, and make folders without any.

    Raises
    ------
    StorageError
        The storage does not answer.
    """
    for folder in folders:
        try:
            pair.place(folder).mkdir(parents=True, exist_ok=True)
        except (StorageError, OSError) as error:
            pair.fail(folder, error)
        else:
            pair.state.folders.add(folder)

    def done(path: str) -> None:
        pair.state.files[path] = pair.there.files[path].etag, stamp_of(pair.place(path).stat())
        pair.state.doubtful.discard(path)
        pair.report.downloaded.append(path)

    def keep(entry: Entry, content: bytes) -> None:
        path = pair.below(entry.path)
        try:
            put_down(pair.place(path), content, _moment(entry), lambda: pair.require_untouched(path))
            done(path)
        except (StorageError, OSError) as error:
            pair.fail(path, error)
        pair.step()

    async def fetch(entry: Entry) -> None:
        path = pair.below(entry.path)

        def check() -> None:
            pair.require_untouched(path)

        try:
            await save(pair.cloud, entry.path, pair.place(path), entry.etag, _moment(entry), check)
            done(path)
        except Unavailable:
            raise
        except (StorageError, OSError) as error:
            pair.fail(path, error)
        pair.step()

    wanted = [pair.there.files[path] for path in paths]
    await download_many(pair.cloud, pair.top, list(pair.there.files.values()), wanted, keep, fetch)


def _moment(entry: Entry) -> float | None:
    return entry.modified.timestamp() if entry.modified else None
