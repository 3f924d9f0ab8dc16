"""Stores files so that each is there whole or not at all, and compares what the server says it stored.

A new file is sent under its own name by one PUT with a known length: a Nextcloud receives it aside, puts it in place
when its length is right, and tells the checksum of what it stored.

What replaces a file goes by way of the uploads, as large files do, for three requests in place of one. A Nextcloud
writes a PUT over the old file as it arrives, and one that breaks off destroys it. What lies among the uploads is
whole before it takes the old file's place, which keeps its id, its shares and its versions: a temporary name and a
MOVE would lose those, and a MOVE of a file knows no condition on its target.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError
from imagine_lib.storage import errors
from imagine_lib.storage.errors import Damaged, Refusal
from imagine_lib.storage.transfer.chunks import put_in_chunks
from imagine_lib.storage.transfer.upload import Upload
from imagine_lib.storage.webdav.client import whole
from imagine_lib.storage.webdav.namespace import make_folders
from imagine_lib.storage.webdav.protocol import entity_tag, shown

if TYPE_CHECKING:
    import httpx

    from imagine_lib.storage.transfer.content import Content
    from imagine_lib.storage.webdav.client import Nextcloud

CHUNKED_ABOVE = 1024**3
"""Bytes. One request is twice as fast as chunks; below this, sending again what broke off costs less than that."""
IN_MEMORY = 4 * 1024**2
_REFUSED = frozenset({404, 412})
_FORBIDDEN, _TOO_LARGE = 403, 413


async def put(
    cloud: Nextcloud,
    path: str,
    content: Content,
    *,
    new: bool = False,
    etag: str = "",
    chunked_above: int | None = None,
) -> str:
    """Store a file, and make the folders above it where they are missing.

    Parameters
    ----------
    cloud, path, content
        Whose, where and what.
    new
        Whether it must not be there yet.
    etag
        What must still be there; empty: whatever is there is replaced.
    chunked_above
        Bytes from which on it is sent in chunks, which stay after a crash.

    Returns
    -------
    str
        The entity tag of what is stored now.

    Raises
    ------
    FileExistsError
        It is there already, and ``new`` forbids that.
    InDoubt
        It arrived damaged, and could not be taken away again.
    StorageError
        Someone else changed it meanwhile, or the storage refuses or does not answer.
    """
    upload = Upload(path, content, new, etag)
    try:
        return await _put(cloud, upload, CHUNKED_ABOVE if chunked_above is None else chunked_above)
    except FileNotFoundError:
        await make_folders(cloud, path.rpartition("/")[0], exist_ok=True)
    return await _put(cloud, upload, CHUNKED_ABOVE if chunked_above is None else chunked_above)


async def _put(cloud: Nextcloud, upload: Upload, chunked_above: int) -> str:
    size = upload.content.size
    chunks = size > IN_MEMORY and (await cloud.capabilities()).chunks
    if not (chunks and size > chunked_above):
        try:
            stored = await _put_new(cloud, upload)
            return await _replace(cloud, upload) if stored is None else stored
        except Refusal as error:
            if not (chunks and error.status == _TOO_LARGE):
                raise
    return await put_in_chunks(cloud, upload)


async def _put_new(cloud: Nextcloud, upload: Upload) -> str | None:
    """Store a file where none is; return None where there is one that may be replaced."""
    if upload.etag:
        return None
    if upload.content.size > IN_MEMORY and not upload.new and await _exists(cloud, upload.path):
        return None  # what is large is not sent in vain
    try:
        return await _put_whole(cloud, replace(upload, new=True))
    except FileExistsError:
        pass
    except Refusal as error:
        # Of two that write a new file in the same moment, a Nextcloud says to one that it may not.
        if error.status != _FORBIDDEN or not await _exists(cloud, upload.path):
            raise
    if upload.new:
        raise errors.exists(shown(upload.path))
    return None


async def _replace(cloud: Nextcloud, upload: Upload) -> str:
    if upload.content.size and (await cloud.capabilities()).chunks:
        return await put_in_chunks(cloud, upload, upload.content.size)
    return await _put_whole(cloud, upload)


async def _exists(cloud: Nextcloud, path: str) -> bool:
    try:
        await cloud.files("HEAD", path)
    except FileNotFoundError:
        return False
    return True


async def _put_whole(cloud: Nextcloud, upload: Upload) -> str:
    content, small = upload.content, upload.content.size <= IN_MEMORY
    body = content.read() if small else b""
    digest = hashlib.sha256(body).hexdigest() if small else ""
    headers = upload.headers() | upload.conditions() | {"Content-Length": str(content.size), "X-Hash": "sha256"}
    if small:
        headers["OC-Checksum"] = f"SHA256:{digest}"
    damaged, proven = "", False

    def note(found: str) -> None:
        nonlocal digest
        digest = found

    async def take(response: httpx.Response) -> httpx.Response:
        nonlocal damaged, proven
        stored = (await whole(response)).headers.get("X-Hash-SHA256")
        proven = response.is_success and stored is not None
        if proven and stored.lower() != digest:
            damaged = entity_tag(response)
            headers.pop("If-None-Match", None)
            headers["If-Match"] = f'"{damaged}"'  # the next try replaces the damaged file and nothing else
            raise Damaged
        return response

    try:
        response = await cloud.exchange(
            "PUT",
            cloud.address(upload.path),
            take,
            about=shown(upload.path),
            headers=headers,
            body=body if small else content.blocks(hashed=note),
            size=content.size,
            allow=_REFUSED,
        )
    except StorageError:
        if not damaged:
            raise
        await upload.take_back(cloud, damaged)
        raise upload.taken_back() from None
    return await upload.settled(cloud, response, proven=proven, digest=digest)
