"""Stores many small files in few requests, each checked by the server against its checksum.

One request carries what would be hundreds; a file that the server did not take that way is sent by itself, which
also says why it cannot be stored.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError
from imagine_lib.storage.concurrency import each
from imagine_lib.storage.errors import Unavailable
from imagine_lib.storage.transfer.writing import put
from imagine_lib.storage.webdav.listing import members
from imagine_lib.storage.webdav.namespace import make_all_folders
from imagine_lib.storage.webdav.protocol import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from imagine_lib.storage.transfer.upload import Upload
    from imagine_lib.storage.webdav.client import Nextcloud

SMALL = 1024**2
"""Bytes up to which a file goes with others."""
BATCH_FILES = 250
BATCH_BYTES = 7 * 1024**2
"""Below the 8 MB that PHP takes in one request, unless told otherwise."""
FEW = 4
"""Files for which a batch is no faster."""
PARALLEL = 4
WRITING = 14
"""Of a share's rights: update 2, create 4, delete 8."""
SHARES = "apps/files_sharing/api/v1/shares"
_NEVER_TAKEN = (".part", ".filepart")
"""Endings of names for which a Nextcloud 32 answers 500 to the whole batch."""
_REFUSED = frozenset({400, 404, 405, 409, 411, 413, 415, 500, 501, 507})


async def put_many(
    cloud: Nextcloud,
    uploads: Sequence[Upload],
    done: Callable[[Upload, str], None],
    failed: Callable[[Upload, Exception], None],
) -> None:
    """Store many files, and make the folders that they need.

    A batch knows no conditions. So a file that must be new is compared with a listing taken right before its batch,
    and sent by itself where others may write, as is one that replaces another. What is left: a file that another
    program of the same user stores under the same name between the listing and the batch is overwritten.

    Parameters
    ----------
    cloud
        Whose storage.
    uploads
        What is stored where.
    done
        Told each file that is stored, with its entity tag.
    failed
        Told each file that is not, and why.

    Raises
    ------
    StorageError
        The storage does not answer.
    """
    refused = await make_all_folders(cloud, {_folder(upload) for upload in uploads})
    for upload in uploads:
        if why := refused.get(_folder(upload)):
            failed(upload, why)
    uploads = [upload for upload in uploads if _folder(upload) not in refused]
    together = [upload for upload in uploads if _goes_with_others(upload)]
    if len(together) < FEW or not (await cloud.capabilities()).bulk:
        together = []
    if any(upload.new for upload in together):
        shared = await _shared(cloud)
        together = [upload for upload in together if not (upload.new and _is_below(upload.path, shared))]
    others = set(map(id, together))

    async def send_batch(batch: list[Upload]) -> None:
        taken = await _taken(cloud, batch, await _listed(cloud, batch))
        for upload in batch:
            if upload.path in taken:
                done(upload, taken[upload.path])
        await each([upload for upload in batch if upload.path not in taken], send, 1)

    async def send(upload: Upload) -> None:
        try:
            done(upload, await put(cloud, upload.path, upload.content, new=upload.new, etag=upload.etag))
        except Unavailable:
            raise
        except (StorageError, OSError) as error:
            if isinstance(error, FileExistsError) and (there := await upload.found(cloud)) is not None:
                done(upload, there)
            else:
                failed(upload, error)

    await each(_batches(together), send_batch, PARALLEL)
    await each([upload for upload in uploads if id(upload) not in others], send, cloud.in_flight)


def _folder(upload: Upload) -> str:
    return upload.path.rpartition("/")[0]


async def _shared(cloud: Nextcloud) -> list[str]:
    """Return the paths at and below which others may write: what is shared with the user, and by the user."""
    found: list[str] = []
    for named, fields in (("path", {}), ("file_target", {"shared_with_me": "true"})):
        response = await cloud.ocs("GET", SHARES, fields=fields)
        if response.status_code == 404:  # nobody shares on this server
            continue
        try:
            shares = response.json()["ocs"]["data"]
            found += [str(share[named]).strip("/") for share in shares if int(share["permissions"]) & WRITING]
        except (ValueError, KeyError, TypeError):
            return [""]
    return found


def _is_below(path: str, folders: list[str]) -> bool:
    return any(not folder or f"{path}/".startswith(f"{folder}/") for folder in folders)


async def _listed(cloud: Nextcloud, batch: list[Upload]) -> set[str]:
    """Return the paths in the folders of files that must be new."""
    folders = {_folder(upload) for upload in batch if upload.new}
    return {entry.path for folder in folders for entry in await members(cloud, folder)}


async def _taken(cloud: Nextcloud, batch: list[Upload], there: set[str]) -> dict[str, str]:
    """Send what is not there; return the entity tags of what the server took."""
    batch = [upload for upload in batch if not (upload.new and upload.path in there)]
    if not batch:
        return {}
    boundary = secrets.token_hex(16)
    try:
        body = await asyncio.to_thread(_body, batch, boundary)
    except StorageError:  # a file that went away in the meantime; which one, its own request will say
        return {}
    response = await cloud.request(
        "POST",
        f"{cloud.url}/remote.php/dav/bulk",
        about=shown(batch[0].path),
        headers={"Content-Type": f"multipart/related; boundary={boundary}"},
        body=body,
        size=len(body),
        allow=_REFUSED,
        once=False,
    )
    try:
        told = response.json()
        answers = {upload.path: told.get(f"/{upload.path}") for upload in batch}
    except (ValueError, AttributeError):
        return {}
    return {
        path: str(answer.get("etag", "")).strip('"')
        for path, answer in answers.items()
        if isinstance(answer, dict) and answer.get("error") is False
    }


def _goes_with_others(upload: Upload) -> bool:
    """Tell whether a file may go in a batch: small, under no condition, its name fit for a header."""
    fit = upload.path.isprintable() and not upload.path.lower().endswith(_NEVER_TAKEN)
    return upload.content.size <= SMALL and not upload.etag and fit


def _batches(uploads: list[Upload]) -> Iterator[list[Upload]]:
    batch: list[Upload] = []
    size = 0
    for upload in sorted(uploads, key=lambda upload: upload.path):
        if batch and (len(batch) == BATCH_FILES or size + upload.content.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(upload)
        size += upload.content.size
    if batch:
        yield batch


def _body(batch: list[Upload], boundary: str) -> bytes:
    parts = []
    for upload in batch:
        content = upload.content.read()
        head = (
            f"--{boundary}\r\nX-File-Path: /{upload.path}\r\nContent-Length: {len(content)}\r\n"
            f"X-File-MD5: {hashlib.md5(content, usedforsecurity=False).hexdigest()}\r\n"
            f"X-File-Mtime: {upload.mtime}\r\n\r\n"
        )
        parts += [head.encode(), content, b"\r\n"]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])
