"""Stores a large file in chunks that stay on the server after a crash, so that the next try sends only the rest.

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

from imagine_lib.storage.client import whole
from imagine_lib.storage.credentials import cache_folder
from imagine_lib.storage.dav import shown
from imagine_lib.storage.listing import members
from imagine_lib.storage.local import write_atomically
from imagine_lib.storage.refusals import Damaged
from imagine_lib.storage.running import each

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from imagine_lib.storage.client import Nextcloud
    from imagine_lib.storage.wishes import Wish

CHUNK = 32 * 1024**2
MOST_CHUNKS = 10_000
_MADE_OR_THERE = frozenset({405})
_REFUSED = frozenset({404, 412})


async def put_in_chunks(cloud: Nextcloud, wish: Wish) -> str:
    """Store a file in chunks; see ``writing.put``.

    Returns
    -------
    str
        The entity tag of what is stored now.
    """
    content, length = wish.content, chunk_length(wish.content.size)
    folder = upload_name(wish)
    headers = {"Destination": cloud.address(wish.path), "OC-Total-Length": str(content.size)}
    await cloud.request(
        "MKCOL", cloud.address(folder, "uploads"), about=shown(wish.path), headers=headers, allow=_MADE_OR_THERE
    )
    there = {entry.name: entry.size for entry in await members(cloud, folder, "uploads")}
    starts = dict(enumerate(range(0, content.size, length), start=1))
    notes = _notes(cloud, folder)
    answered = {
        number: proven
        for number, proven in _read_notes(notes).items()
        if number in starts and there.get(f"{number:05}") == min(length, content.size - starts[number])
    }
    with contextlib.suppress(OSError):  # on a full disk, what has arrived is sent again
        write_atomically(notes, "".join(_note(number, proven) for number, proven in answered.items()).encode())
    hashing = asyncio.create_task(asyncio.to_thread(content.digest))

    async def send(number: int) -> None:
        answered[number] = await _send_chunk(cloud, wish, f"{folder}/{number:05}", starts[number], length, headers)
        with contextlib.suppress(OSError), notes.open("a", encoding="ascii") as file:
            file.write(_note(number, answered[number]))

    parallel = (await cloud.capabilities()).parallel_chunks
    try:
        await each([number for number in starts if number not in answered], send, min(parallel, cloud.in_flight))
        digest = await hashing
    finally:
        hashing.cancel()
    content.require_unchanged()
    response = await _assemble(cloud, wish, folder, headers, digest)
    proven = all(answered.values())
    if response.is_success:
        notes.unlink(missing_ok=True)
        proven = proven and wish.has_length(await cloud.files("HEAD", wish.path))
    return await wish.settled(cloud, response, proven=proven, digest=digest)


def upload_name(wish: Wish) -> str:
    """Return the name of an upload, the same for the same content to the same place."""
    told = f"{wish.path}\0{wish.content.size}\0{wish.content.identity}"
    return f"imagine-{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def chunk_length(size: int) -> int:
    """Return how many bytes each chunk but the last has."""
    return max(CHUNK, -(-size // MOST_CHUNKS))


async def _send_chunk(
    cloud: Nextcloud, wish: Wish, name: str, start: int, length: int, headers: dict[str, str]
) -> bool:
    """Send a chunk; tell whether the server proved what it stored."""
    end = min(start + length, wish.content.size)
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
        about=shown(wish.path),
        headers={**headers, "Content-Length": str(end - start), "X-Hash": "sha256"},
        body=wish.content.blocks(start, end, hashed=note),
        size=end - start,
    )


async def _assemble(
    cloud: Nextcloud, wish: Wish, folder: str, headers: dict[str, str], digest: str
) -> httpx.Response:
    """Have the chunks put together in place of the target, if that is still what it was."""
    conditions = {"Overwrite": "F"} if wish.new else {}
    if wish.etag:
        conditions["If"] = f'<{cloud.address(wish.path)}> (["{wish.etag}"])'
    return await cloud.request(
        "MOVE",
        cloud.address(f"{folder}/.file", "uploads"),
        about=shown(wish.path),
        headers={**headers, **wish.headers(), **conditions, "OC-Checksum": f"SHA256:{digest}"},
        size=wish.content.size,
        allow=_REFUSED,
    )


def _notes(cloud: Nextcloud, folder: str) -> Path:
    """Return where the chunks of an upload are noted that the server has answered."""
    told = f"{cloud.user}@{cloud.url}\0{folder}"
    return cache_folder() / "uploads" / hashlib.sha256(told.encode()).hexdigest()[:32]


def _note(number: int, proven: bool) -> str:
    return f"{number:05}{'+' if proven else '-'}\n"


def _read_notes(path: Path) -> dict[int, bool]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return {}
    # A program that was killed leaves half a line.
    return {int(line[:5]): line[5] == "+" for line in lines if len(line) == 6 and line[:5].isdecimal()}
