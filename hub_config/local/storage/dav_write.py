"""PUT, MKCOL, DELETE and PROPPATCH.

WsgiDAV's own PUT is not used: it creates an empty file before the body comes, writes into it in place, and takes a
body that broke off for a whole one. Here the body goes to a draft, its length is compared, and one rename makes it
the file; until then, and after any failure, the old file is there untouched.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .dav_list import LAST_MODIFIED, READ_ONLY
from .errors import Refused
from .homes import set_time, stamp
from .http import BLOCK, Response
from .names import check_new
from .shares import Right

if TYPE_CHECKING:
    from .dav_entry import Entry, Visit
    from .http import Request

_DAY = 24 * 3600
_HASHES = ("sha256", "sha1", "md5")


@dataclass(frozen=True)
class Target:
    """Where something is to be written: ``disk`` is its place, ``entry`` what is there now."""

    parts: list[str]
    owner: str
    path: str
    disk: str
    entry: Entry | None


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


def put(visit: Visit, parts: list[str]) -> Response:
    """Store a file."""
    request = visit.request
    if request.header("Content-Range"):
        raise Refused(400, "Content-Range on PUT requests is not supported.")
    if request.header("X-NC-WebDAV-Auto-Mkcol") == "1":
        _make_parents(visit, parts)
    spot = visit.world.spot(parts)
    if Right.READ not in spot.rights:
        parts = _free_name(visit, parts)
        spot = visit.world.spot(parts)
    with visit.services.busy.hold((spot.owner, spot.path)):
        place = target(visit, parts, missing_parent=404)
        if place.entry and place.entry.is_folder:
            raise Refused(409, "There is already a folder of this name.")
        visit.check_conditions(parts)
        headers = _store(visit, place)
        return _stored(visit, place, headers)


def make_folder(visit: Visit, parts: list[str]) -> Entry:
    """Make a folder; its parent must be there."""
    place = target(visit, parts, missing_parent=409)
    try:
        Path(place.disk).mkdir()
    except FileExistsError:
        raise Refused(405, "The resource you tried to create already exists") from None
    made = visit.find(parts)
    if made is None:
        raise Refused(409, "The folder was removed at once.")
    return made


def remove(entry: Entry) -> None:
    """Remove a file or a tree for good; a received share is only taken out of the receiver's root."""
    services, spot = entry.visit.services, entry.spot
    if not entry.parts:
        raise Refused(403)
    if spot.is_mount and spot.share:
        services.shares.leave(spot.share, entry.visit.world.visitor)
        return
    spot.require(Right.DELETE)
    with services.busy.hold((spot.owner, spot.path)):
        services.nodes.removed(entry.node)
        services.homes.remove(entry.node)
        services.quota.forget(spot.owner)


def set_property(entry: Entry, name: str, value: str | None, text: str | None, *, dry_run: bool) -> None:
    """Set a property to some XML, or remove it; ``text`` is the plain text in it."""
    entry.spot.require(Right.UPDATE)
    if name in READ_ONLY:
        raise Refused(403, f"The property {name} cannot be changed.")
    if name == LAST_MODIFIED:
        seconds = _seconds(text)
        if seconds is None:
            raise Refused(400, "The modification time must be a number of seconds.")
        if not dry_run:
            _touch(entry, seconds)
    elif not dry_run:
        entry.visit.services.nodes.set_property(entry.record, name, value)


def _store(visit: Visit, place: Target) -> list[tuple[str, str]]:
    """Receive the body into a draft and rename it into place; return what the answer says about it."""
    services, request = visit.services, visit.request
    old_size = place.entry.size if place.entry else 0
    total = request.header("OC-Total-Length") or ""
    announced = max(request.length or 0, int(total) if total.isdecimal() else 0)
    room = services.quota.room(place.owner)
    limit = None if room is None else room + old_size
    checksum = request.header("OC-Checksum")
    with services.quota.reserve(place.owner, announced - old_size, place.path), services.homes.draft() as draft:
        digest = _receive(request, draft, limit)
        set_time(draft, _seconds(request.header("X-OC-MTime")))
        kept = stamp(draft.stat())
        services.nodes.uploaded(place.owner, place.path, kept, checksum, _seconds(request.header("X-OC-CTime")))
        try:
            services.homes.place(draft, place.disk)
        except FileNotFoundError:
            raise Refused(409, "The folder was removed during the upload.") from None
    return [(f"X-Hash-{digest.name.upper()}", digest.hexdigest())] if digest else []


def _stored(visit: Visit, place: Target, headers: list[tuple[str, str]]) -> Response:
    for name in ("X-OC-MTime", "X-OC-CTime"):
        if given := visit.request.header(name):
            if _seconds(given) is None:
                # As on Nextcloud: the time is refused after the body has been stored.
                raise Refused(500, f"{name} header must be a Unix time of at least one day.")
            headers.append((name, "accepted"))
    entry = visit.find(place.parts)
    if entry is None:
        raise Refused(409, "The file was removed at once.")
    tag = f'"{entry.etag}"'
    headers += [("ETag", tag), ("OC-ETag", tag), ("OC-FileId", entry.full_id)]
    return Response(204 if place.entry else 201, headers)


def _receive(request: Request, draft: Path, limit: int | None) -> Any:
    """Write the body to the draft and to the disk; return its digest if one was asked for."""
    wanted = (request.header("X-Hash") or "").lower()
    digest = hashlib.new(wanted, usedforsecurity=False) if wanted in _HASHES else None
    received = 0
    with draft.open("xb") as file:
        while block := _read(request):
            received += len(block)
            if limit is not None and received > limit:
                raise Refused(507, "Insufficient space")
            file.write(block)
            if digest:
                digest.update(block)
        if request.length is not None and received != request.length:
            raise Refused(400, f"Expected filesize of {request.length} bytes but read {received} bytes.")
        file.flush()
        os.fsync(file.fileno())
    return digest


def _read(request: Request) -> bytes:
    try:
        block: bytes = request.environ["wsgi.input"].read(BLOCK)
    except (OSError, ValueError):
        raise Refused(400, "The upload broke off.") from None
    return block


def _make_parents(visit: Visit, parts: list[str]) -> None:
    for depth in range(1, len(parts)):
        if visit.find(parts[:depth]) is None:
            make_folder(visit, parts[:depth])


def _free_name(visit: Visit, parts: list[str]) -> list[str]:
    """Return a path that is free: whoever may only drop files must not overwrite what they cannot see."""
    stem, dot, extension = parts[-1].rpartition(".") if parts else ("", "", "")
    if not stem:
        stem, dot, extension = extension, "", ""
    number = 1
    while parts and visit.find(parts):
        number += 1
        parts = [*parts[:-1], f"{stem} ({number}){dot}{extension}"]
    return parts


def _touch(entry: Entry, seconds: int) -> None:
    """Set a file's time; its stored checksum stays good, for the content is the same."""
    record = entry.record
    set_time(entry.node.disk, seconds)
    if record.checksum:
        kept = stamp(Path(entry.node.disk).stat())
        entry.visit.services.nodes.uploaded(entry.spot.owner, entry.spot.path, kept, record.checksum, None)


def _seconds(text: str | None) -> int | None:
    """Read a Unix time as Nextcloud does: a fraction is cut, less than a day is no time."""
    if text is None or not re.fullmatch(r"\s*\d{1,11}(\.\d*)?\s*", text):
        return None
    seconds = int(float(text))
    return seconds if seconds >= _DAY else None
