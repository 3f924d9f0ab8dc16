"""A folder as one archive, sent while it is made: stored without compression, nothing held but one block.

As on Nextcloud, sizes and sums follow each file instead of standing before it. A file that is removed meanwhile is
left out; one that grows in place is sent as long as it was.
"""

from __future__ import annotations

import time
import zipfile
from typing import IO, TYPE_CHECKING, cast

from .disk import open_file
from .http import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .dav_entry import Entry

_OLDEST = (1980, 1, 1, 0, 0, 0)
_NEWEST = (2107, 12, 31, 23, 59, 58)


def archive(top: Entry, name: str, title: str = "") -> Iterator[bytes]:
    """Yield a tree as an archive in which everything lies below ``name``; its top itself may have another title."""
    out = _Outbox()
    with zipfile.ZipFile(cast("IO[bytes]", out), "w") as target:
        for _ in _packed(target, top, name, title):
            if out.size >= BLOCK:
                yield out.take()
    yield out.take()


def _packed(target: zipfile.ZipFile, entry: Entry, name: str, title: str = "") -> Iterator[None]:
    """Pack a tree, pausing at least once a block."""
    moment = min(max(_OLDEST, time.gmtime(entry.modified)[:6]), _NEWEST)
    if entry.is_folder:
        target.writestr(zipfile.ZipInfo(f"{title or name}/", moment), b"")
        for member in entry.members():
            yield from _packed(target, member, f"{name}/{member.name}")
        return
    try:
        stream, status = open_file(entry.node.disk)
    except FileNotFoundError:
        return
    info = zipfile.ZipInfo(name, moment)
    info.file_size = rest = status.st_size
    with stream, target.open(info, "w") as file:
        while rest and (block := stream.read(min(BLOCK, rest))):
            rest -= len(block)
            file.write(block)
            yield


class _Outbox:
    """Where the archive is written to and the answer is taken from."""

    def __init__(self) -> None:
        self.size = 0
        self._blocks: list[bytes] = []

    def write(self, block: bytes) -> int:
        self._blocks.append(bytes(block))
        self.size += len(block)
        return len(block)

    def flush(self) -> None:
        """Do nothing: what was written is there to be taken."""

    def take(self) -> bytes:
        taken = b"".join(self._blocks)
        self._blocks.clear()
        self.size = 0
        return taken
