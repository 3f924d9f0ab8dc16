"""PUT, MKCOL, DELETE and PROPPATCH.

WsgiDAV's own PUT is not used: it creates an empty file before the body comes, writes into it in place, and takes a
body that broke off for a whole one. Nor its own DELETE: it looks at the conditions before the place can be held.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .dav_properties import LAST_MODIFIED, READ_ONLY
from .dav_store import file_target, hasher, receive, seconds, settle, stored, target
from .disk import set_time
from .errors import Refused
from .http import Response
from .shares import Right

if TYPE_CHECKING:
    from .dav_entry import Entry, Visit
    from .dav_store import Target


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
        place = file_target(visit, parts, missing_parent=404)
        visit.check_conditions(parts)
        return stored(visit, place, _store(visit, place))


def make_folder(visit: Visit, parts: list[str]) -> Entry:
    """Make a folder; its parent must be there."""
    spot = visit.world.spot(parts)
    with visit.services.busy.hold(shared=[(spot.owner, spot.path)]):
        place = target(visit, parts, missing_parent=409)
        try:
            Path(place.disk).mkdir()
        except FileExistsError:
            raise Refused(405, "The resource you tried to create already exists") from None
    made = visit.find(parts)
    if made is None:
        raise Refused(409, "The folder was removed at once.")
    return made


def remove(visit: Visit, parts: list[str]) -> Response:
    """Move a file or a tree to its owner's trash; a received share is only taken out of the receiver's root."""
    services, spot = visit.services, visit.world.spot(parts)
    with services.busy.hold(visit.world.seat(parts)):
        entry = visit.find(parts)
        if entry is None:
            raise Refused(404, f"File with name /{'/'.join(parts)} could not be located")
        visit.check_conditions(parts)
        if not parts:
            raise Refused(403)
        if spot.is_mount and spot.share:
            services.shares.leave(spot.share, visit.world.visitor)
        else:
            spot.require(Right.DELETE)
            services.trash.put(entry.node)
            services.quota.forget(spot.owner)
    return Response(204)


def set_property(entry: Entry, name: str, value: str | None, text: str | None, *, dry_run: bool) -> None:
    """Set a property to some XML, or remove it; ``text`` is the plain text in it."""
    entry.spot.require(Right.UPDATE)
    if name in READ_ONLY:
        raise Refused(403, f"The property {name} cannot be changed.")
    if name == LAST_MODIFIED:
        moment = seconds(text)
        if moment is None:
            raise Refused(400, "The modification time must be a number of seconds.")
        if not dry_run:
            _touch(entry, moment)
    elif not dry_run:
        entry.visit.services.nodes.set_property(entry.record, name, value)


def _store(visit: Visit, place: Target) -> list[tuple[str, str]]:
    """Receive the body and make it the file; return what the answer says about it."""
    services, request = visit.services, visit.request
    announced = max(request.length or 0, request.total or 0)
    limit = services.quota.room(place.owner)
    digest = hasher(request.header("X-Hash"))
    with (
        services.quota.reserve(place.owner, announced, place.path, place.old_size),
        services.homes.draft() as draft,
    ):
        receive(request.read, draft, request.length, limit, digest)
        settle(visit, place, draft, request.header("X-OC-MTime"), request.header("OC-Checksum"))
    return [(f"X-Hash-{digest.name.upper()}", digest.hexdigest())] if digest else []


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


def _touch(entry: Entry, moment: int) -> None:
    """Set a file's time; as on Nextcloud, its stored checksum is lost with the old one."""
    set_time(entry.node.disk, moment)
    os.utime(Path(entry.node.disk).parent)  # a large folder's tag rests on its own times
