"""How bytes become a file: into a draft first, then by one rename to their place.

Every way to upload (PUT, bulk, chunks) ends here. Until the rename, and after any failure, the old file is there
untouched.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .disk import set_time, stamp
from .errors import Refused
from .http import BLOCK, Response
from .names import check_new
from .shares import Right

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .dav_entry import Entry, Visit

_DAY = 24 * 3600
_TIMES = ("X-OC-MTime", "X-OC-CTime")


@dataclass(frozen=True)
class Target:
    """Where something is to be written: ``disk`` is its place, ``entry`` what is there now."""

    parts: list[str]
    owner: str
    path: str
    disk: str
    entry: Entry | None

    @property
    def old_size(self) -> int:
        """Bytes that are there now."""
        return self.entry.size if self.entry else 0


def target(visit: Visit, parts: list[str], missing_parent: int) -> Target:
    """Find the place for a write, with the right to it.

    Raises
    ------
    Refused
        403, a name that is not allowed, or ``missing_parent`` where there is no folder to put it in.
    """
    spot, entry = visit.world.spot(parts), visit.find(parts)
    if entry is not None:
        spot.require(Right.UPDATE)
        return Target(parts, spot.owner, spot.path, entry.node.disk, entry)
    parent = visit.find(parts[:-1]) if parts else None
    if parent is None or not parent.is_folder:
        raise Refused(missing_parent, f"File with name /{'/'.join(parts[:-1])} could not be located")
    parent.spot.require(Right.CREATE)
    check_new(parts[-1])
    return Target(parts, spot.owner, spot.path, f"{parent.node.disk}/{parts[-1]}", None)


def file_target(visit: Visit, parts: list[str], missing_parent: int) -> Target:
    """Find the place for a file; a folder is never replaced by one.

    Raises
    ------
    Refused
        409 where a folder is; else as ``target``.
    """
    place = target(visit, parts, missing_parent)
    if place.entry and place.entry.is_folder:
        raise Refused(409, "There is already a folder of this name.")
    return place


def receive(
    read: Callable[[int], bytes], draft: Path, length: int | None, limit: int | None, digest: Any = None
) -> int:
    """Write a body to a draft and to the disk.

    Parameters
    ----------
    read
        Returns the next bytes of the body, at most as many as it is asked for.
    draft
        A path where nothing is.
    length
        The bytes that were announced, None if that is not known.
    limit
        The bytes that there is room for, None without a limit.
    digest
        A hash object that the bytes go through.

    Returns
    -------
    int
        The bytes received.

    Raises
    ------
    Refused
        400: the body broke off; 507: there is no room for it.
    """
    received = 0
    with draft.open("xb", buffering=0) as file:
        while block := _block(read):
            received += len(block)
            if limit is not None and received > limit:
                raise Refused(507, "Insufficient space")
            _write(file.fileno(), block)
            if digest:
                digest.update(block)
        if length is not None and received != length:
            raise Refused(400, f"Expected filesize of {length} bytes but read {received} bytes.")
        os.fsync(file.fileno())
    return received


def settle(visit: Visit, place: Target, draft: Path, modified: str | None, checksum: str | None = None) -> None:
    """Make a draft the file at a place, with the time and the checksum that came with it.

    Raises
    ------
    Refused
        409: the folder was removed meanwhile.
    """
    services = visit.services
    set_time(draft, seconds(modified))
    created = seconds(visit.request.header("X-OC-CTime"))
    services.nodes.uploaded(place.owner, place.path, stamp(draft.stat()), checksum, created)
    try:
        services.homes.place(draft, place.disk)
    except FileNotFoundError:
        raise Refused(409, "The folder was removed during the upload.") from None


def stored(visit: Visit, place: Target, headers: list[tuple[str, str]]) -> Response:
    """Answer for a file that has been stored."""
    for name in _TIMES:
        if given := visit.request.header(name):
            if seconds(given) is None:
                # As on Nextcloud: the time is refused after the body has been stored.
                raise Refused(500, f"{name} header must be a Unix time of at least one day.")
            headers.append((name, "accepted"))
    entry = visit.find(place.parts)
    if entry is None:
        raise Refused(409, "The file was removed at once.")
    tag = f'"{entry.etag}"'
    headers += [("ETag", tag), ("OC-ETag", tag), ("OC-FileId", entry.full_id)]
    return Response(204 if place.entry else 201, headers)


def seconds(text: str | None) -> int | None:
    """Read a Unix time as Nextcloud does: a fraction is cut, less than a day is no time."""
    if text is None or not re.fullmatch(r"\s*\d{1,11}(\.\d*)?\s*", text):
        return None
    moment = int(float(text))
    return moment if moment >= _DAY else None


def hasher(name: str | None) -> Any:
    """Return a hash object of a name that clients may ask for, None for any other."""
    known = (name or "").lower()
    return hashlib.new(known, usedforsecurity=False) if known in {"sha256", "sha1", "md5"} else None


def _block(read: Callable[[int], bytes]) -> bytes:
    try:
        return read(BLOCK)
    except (OSError, ValueError):
        raise Refused(400, "The upload broke off.") from None


def _write(descriptor: int, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
