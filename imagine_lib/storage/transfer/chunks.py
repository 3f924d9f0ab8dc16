"""Stores a file in chunks that stay on the server after a crash, so that the next try sends only the rest.

The upload's name is made of the target and the content's identity: whoever uploads the same file to the same place
finds the chunks that are there, and whoever changed the file does not. A chunk that was answered is noted on this
machine, with whether the server's checksum proved it; one that was not noted is sent again, and a file of chunks that
were not all proven is read back and compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError
from imagine_lib.storage.concurrency import each
from imagine_lib.storage.credentials import cache_folder
from imagine_lib.storage.errors import Damaged
from imagine_lib.storage.transfer.local import write_atomically
from imagine_lib.storage.webdav.client import whole
from imagine_lib.storage.webdav.listing import members
from imagine_lib.storage.webdav.protocol import shown

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from imagine_lib.storage.transfer.upload import Upload
    from imagine_lib.storage.webdav.client import Nextcloud

CHUNK = 32 * 1024**2
MOST_CHUNKS = 10_000
_MADE_OR_THERE = frozenset({405})
_CONFLICT = 412
_REFUSED = frozenset({404, _CONFLICT})


async def put_in_chunks(cloud: Nextcloud, upload: Upload, length: int = 0) -> str:
    """Store a file in chunks; see ``writing.put``.

    Parameters
    ----------
    cloud, upload
        Whose, and what.
    length
        Bytes of each chunk but the last; 0: as suits the file's size.

    Returns
    -------
    str
        The entity tag of what is stored now.
    """
    content, length = upload.content, length or chunk_length(upload.content.size)
    folder = upload_name(upload, length)
    headers = {"Destination": cloud.address(upload.path), "OC-Total-Length": str(content.size)}
    begun = await cloud.request(
        "MKCOL", cloud.address(folder, "uploads"), about=shown(upload.path), headers=headers, allow=_MADE_OR_THERE
    )
    answered = {} if begun.is_success else await _answered(cloud, folder, content.size, length)
    notes = _notes(cloud, folder)
    with contextlib.suppress(OSError):  # on a full disk, what has arrived is sent again
        write_atomically(notes, "".join(_note(number, proven) for number, proven in answered.items()).encode())
    starts = dict(enumerate(range(0, content.size, length), start=1))
    hashing = asyncio.create_task(asyncio.to_thread(content.digest))

    async def send(number: int) -> None:
        answered[number] = await _send_chunk(cloud, upload, f"{folder}/{number:05}", starts[number], length, headers)
        with contextlib.suppress(OSError), notes.open("a", encoding="ascii") as file:
            file.write(_note(number, answered[number]))

    parallel = (await cloud.capabilities()).parallel_chunks
    try:
        await each([number for number in starts if number not in answered], send, min(parallel, cloud.in_flight))
        digest = await hashing
    finally:
        hashing.cancel()
    content.require_unchanged()
    proven = all(answered.values())
    response = await _assemble(cloud, upload, folder, headers, digest, proven)
    if response.is_success or response.status_code == _CONFLICT:
        notes.unlink(missing_ok=True)
    if response.is_success:
        if (stored := response.headers.get("X-Hash-SHA256")) is not None:
            proven = stored.lower() == digest
        else:
            proven = proven and upload.has_length(await cloud.files("HEAD", upload.path))
    return await upload.settled(cloud, response, proven=proven, digest=digest)


def upload_name(upload: Upload, length: int) -> str:
    """Return the name of an upload, the same for the same chunks of the same content to the same place."""
    told = f"{upload.path}\0{upload.content.size}\0{length}\0{upload.content.identity}"
    return f"imagine-{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def chunk_length(size: int) -> int:
    """Return how many bytes each chunk but the last has."""
    return max(CHUNK, -(-size // MOST_CHUNKS))


async def _send_chunk(
    cloud: Nextcloud, upload: Upload, name: str, start: int, length: int, headers: dict[str, str]
) -> bool:
    """Send a chunk; tell whether the server proved what it stored."""
    end = min(start + length, upload.content.size)
    digest = ""

    def note(found: str) -> None:
        nonlocal digest
        digest = found

    async def take(response: httpx.Response) -> bool:
        stored = (await whole(response)).headers.get("X-Hash-SHA256")
        if stored is not None and stored.lower() != digest:
            raise Damaged
        return stored is not None

    return await cloud.exchange(
        "PUT",
        cloud.address(name, "uploads"),
        take,
        about=shown(upload.path),
        headers={**headers, "Content-Length": str(end - start), "X-Hash": "sha256"},
        body=upload.content.blocks(start, end, hashed=note),
        size=end - start,
    )


async def _assemble(
    cloud: Nextcloud, upload: Upload, folder: str, headers: dict[str, str], digest: str, proven: bool
) -> httpx.Response:
    """Have the chunks put together in place of the target, if that is still what it was."""
    conditions = {"Overwrite": "F"} if upload.new else {}
    if upload.etag:
        conditions["If"] = f'<{cloud.address(upload.path)}> (["{upload.etag}"])'
    asked = {**headers, **upload.headers(), **conditions, "OC-Checksum": f"SHA256:{digest}"}
    if not proven or upload.content.size <= CHUNK:  # to read a large one again takes the server long
        asked["X-Hash"] = "sha256"
    response = await cloud.request(
        "MOVE",
        cloud.address(f"{folder}/.file", "uploads"),
        about=shown(upload.path),
        headers=asked,
        size=upload.content.size,
        allow=_REFUSED,
    )
    if response.status_code == _CONFLICT:
        await _give_up(cloud, folder)
    return response


async def _give_up(cloud: Nextcloud, folder: str) -> None:
    with contextlib.suppress(StorageError, OSError):
        await cloud.request("DELETE", cloud.address(folder, "uploads"), about=shown(folder))


async def _answered(cloud: Nextcloud, folder: str, size: int, length: int) -> dict[int, bool]:
    """Return the chunks of an earlier try that are there and were noted, with whether each was proven."""
    there = {entry.name: entry.size for entry in await members(cloud, folder, "uploads")}
    sizes = {number: min(length, size - start) for number, start in enumerate(range(0, size, length), start=1)}
    return {
        number: proven
        for number, proven in _read_notes(_notes(cloud, folder)).items()
        if number in sizes and there.get(f"{number:05}") == sizes[number]
    }


def _notes(cloud: Nextcloud, folder: str) -> Path:
    """Return where the chunks of an upload are noted that the server has answered."""
    told = f"{cloud.user}@{cloud.url}\0{folder}"
    return cache_folder() / "chunks" / hashlib.sha256(told.encode()).hexdigest()[:32]


def _note(number: int, proven: bool) -> str:
    return f"{number:05}{'+' if proven else '-'}\n"


def _read_notes(path: Path) -> dict[int, bool]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return {}
    # A program that was killed leaves half a line.
    return {int(line[:5]): line[5] == "+" for line in lines if len(line) == 6 and line[:5].isdecimal()}
