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
from imagine_lib.storage.changing import make_all_folders
from imagine_lib.storage.dav import shown
from imagine_lib.storage.listing import members
from imagine_lib.storage.refusals import Unavailable
from imagine_lib.storage.running import each
from imagine_lib.storage.writing import put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from imagine_lib.storage.client import Nextcloud
    from imagine_lib.storage.wishes import Wish

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
    wishes: Sequence[Wish],
    done: Callable[[Wish, str], None],
    failed: Callable[[Wish, Exception], None],
) -> None:
    """Store many files, and make the folders that they need.

    A batch knows no conditions. So a file that must be new is compared with a listing taken right before its batch,
    and sent by itself where others may write, as is one that replaces another. What is left: a file that another
    program of the same user stores under the same name between the listing and the batch is overwritten.

    Parameters
    ----------
    cloud
        Whose storage.
    wishes
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
    refused = await make_all_folders(cloud, {_folder(wish) for wish in wishes})
    for wish in wishes:
        if why := refused.get(_folder(wish)):
            failed(wish, why)
    wishes = [wish for wish in wishes if _folder(wish) not in refused]
    together = [wish for wish in wishes if _goes_with_others(wish)]
    if len(together) < FEW or not (await cloud.capabilities()).bulk:
        together = []
    if any(wish.new for wish in together):
        shared = await _shared(cloud)
        together = [wish for wish in together if not (wish.new and _is_below(wish.path, shared))]
    others = set(map(id, together))

    async def send_batch(batch: list[Wish]) -> None:
        taken = await _taken(cloud, batch, await _listed(cloud, batch))
        for wish in batch:
            if wish.path in taken:
                done(wish, taken[wish.path])
        await each([wish for wish in batch if wish.path not in taken], send, 1)

    async def send(wish: Wish) -> None:
        try:
            done(wish, await put(cloud, wish.path, wish.content, new=wish.new, etag=wish.etag))
        except Unavailable:
            raise
        except (StorageError, OSError) as error:
            if isinstance(error, FileExistsError) and (there := await wish.found(cloud)) is not None:
                done(wish, there)
            else:
                failed(wish, error)

    await each(_batches(together), send_batch, PARALLEL)
    await each([wish for wish in wishes if id(wish) not in others], send, cloud.in_flight)


def _folder(wish: Wish) -> str:
    return wish.path.rpartition("/")[0]


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


async def _listed(cloud: Nextcloud, batch: list[Wish]) -> set[str]:
    """Return the paths in the folders of files that must be new."""
    folders = {_folder(wish) for wish in batch if wish.new}
    return {entry.path for folder in folders for entry in await members(cloud, folder)}


async def _taken(cloud: Nextcloud, batch: list[Wish], there: set[str]) -> dict[str, str]:
    """Send what is not there; return the entity tags of what the server took."""
    batch = [wish for wish in batch if not (wish.new and wish.path in there)]
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
        answers = {wish.path: told.get(f"/{wish.path}") for wish in batch}
    except (ValueError, AttributeError):
        return {}
    return {
        path: str(answer.get("etag", "")).strip('"')
        for path, answer in answers.items()
        if isinstance(answer, dict) and answer.get("error") is False
    }


def _goes_with_others(wish: Wish) -> bool:
    """Tell whether a file may go in a batch: small, under no condition, its name fit for a header."""
    fit = wish.path.isprintable() and not wish.path.lower().endswith(_NEVER_TAKEN)
    return wish.content.size <= SMALL and not wish.etag and fit


def _batches(wishes: list[Wish]) -> Iterator[list[Wish]]:
    batch: list[Wish] = []
    size = 0
    for wish in sorted(wishes, key=lambda wish: wish.path):
        if batch and (len(batch) == BATCH_FILES or size + wish.content.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(wish)
        size += wish.content.size
    if batch:
        yield batch


def _body(batch: list[Wish], boundary: str) -> bytes:
    parts = []
    for wish in batch:
        content = wish.content.read()
        head = (
            f"--{boundary}\r\nX-File-Path: /{wish.path}\r\nContent-Length: {len(content)}\r\n"
            f"X-File-MD5: {hashlib.md5(content, usedforsecurity=False).hexdigest()}\r\n"
            f"X-File-Mtime: {wish.mtime}\r\n\r\n"
        )
        parts += [head.encode(), content, b"\r\n"]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])
