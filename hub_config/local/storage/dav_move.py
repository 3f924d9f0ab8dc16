"""COPY and MOVE.

WsgiDAV's own are not used: they decode the ``Destination`` before splitting it, so names with ``?``, ``#`` or ``;``
end up elsewhere; they refuse another host name, which Nextcloud ignores; and they copy file by file over what is
there, so that a failure leaves a mixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .dav_store import target
from .errors import Refused
from .http import Response
from .names import MAX_DEPTH, check_new, segments
from .shares import Right

if TYPE_CHECKING:
    from .dav_entry import Entry, Visit
    from .dav_store import Target


def copy(visit: Visit, parts: list[str]) -> Response:
    """Copy a file or a tree."""
    services, old, wanted = visit.services, visit.world.spot(parts), destination(visit)
    with services.busy.hold(visit.world.seat(wanted), shared=[(old.owner, old.path)]):
        source, place = _both(visit, parts, wanted)
        old.require(Right.READ)
        with services.quota.reserve(place.owner, source.size, place.path), services.homes.draft() as draft:
            services.homes.copy(source.node, draft)
            _clear(source, place)
            services.homes.place(draft, place.disk)
            if place.entry:
                services.nodes.removed(place.entry.node)
                services.quota.forget(place.owner)
        return _done(visit, place, with_tag=False)


def move(visit: Visit, parts: list[str]) -> Response:
    """Move a file or a tree; its ids and checksums go with it."""
    services, old, wanted = visit.services, visit.world.spot(parts), destination(visit)
    with services.busy.hold(visit.world.seat(parts), visit.world.seat(wanted)):
        source, place = _both(visit, parts, wanted)
        if old.is_mount and old.share:
            return _rename_mount(visit, source, place)
        old.require(Right.UPDATE if parts[:-1] == place.parts[:-1] else Right.DELETE)
        growth = 0 if place.owner == old.owner else source.size
        with services.quota.reserve(place.owner, growth, place.path):
            _clear(source, place)
            services.homes.place(source.node.disk, place.disk)
            services.nodes.moved(source.node, place.owner, place.path)
            services.quota.forget(old.owner)
            services.quota.forget(place.owner)
        return _done(visit, place, with_tag=not source.is_folder)


def _both(visit: Visit, parts: list[str], wanted: list[str]) -> tuple[Entry, Target]:
    """Return what is there and where it may go; asked while both are held, so that it stays true."""
    source = visit.find(parts)
    if source is None:
        raise Refused(404, f"File with name /{'/'.join(parts)} could not be located")
    visit.check_conditions(parts)
    if not parts or not wanted or wanted == parts:
        raise Refused(403, "Source and destination must be different files or folders.")
    if wanted[: len(parts)] == parts:
        raise Refused(409, "The destination may not be part of the same subtree as the source path.")
    refuse_overwriting(visit, wanted)
    place = target(visit, wanted, missing_parent=409)
    if place.entry and (place.entry.spot.is_mount or parts[: len(wanted)] == wanted):
        raise Refused(403)
    if place.path.count("/") + visit.services.homes.depth(source.node) > MAX_DEPTH:
        raise Refused(400, "The tree would be too deep.")
    if place.entry and _ends_a_tree(source, place.entry):
        place.entry.spot.require(Right.DELETE)
    return source, place


def _ends_a_tree(source: Entry, old: Entry) -> bool:
    """Tell whether more is lost than a PUT would replace: that takes the right to delete, and goes to the trash."""
    return source.is_folder or old.is_folder


def _clear(source: Entry, place: Target) -> None:
    """Move a tree out of the way to its owner's trash; a file takes another's place in one step."""
    if place.entry and _ends_a_tree(source, place.entry):
        place.entry.visit.services.trash.put(place.entry.node)


def refuse_overwriting(visit: Visit, wanted: list[str]) -> None:
    """Raise 412 where the destination is there and the client will not have it overwritten."""
    if visit.request.header("Overwrite") == "F" and visit.find(wanted):
        raise Refused(412, "The destination node already exists, and the overwrite header is set to false")


def destination(visit: Visit) -> list[str]:
    """Return the destination within the visitor's world; the host in it is ignored.

    Raises
    ------
    Refused
        400: none was sent; 403: it lies outside.
    """
    header = visit.request.header("Destination")
    if not header:
        raise Refused(400, "The destination header was not supplied")
    parts, prefix = segments(header), list(visit.world.prefix)
    if parts[: len(prefix)] != prefix:
        raise Refused(403)
    return parts[len(prefix) :]


def _rename_mount(visit: Visit, source: Entry, place: Target) -> Response:
    """Give a received share another name in the receiver's root; it cannot go anywhere else."""
    if len(place.parts) != 1 or place.entry:
        raise Refused(403)
    check_new(place.parts[0])
    assert source.spot.share is not None
    visit.services.shares.mount(source.spot.share, visit.world.visitor, place.parts[0])
    visit.world.mounts[place.parts[0]] = visit.world.mounts.pop(source.parts[0])
    return _done(visit, place, with_tag=False)


def _done(visit: Visit, place: Target, *, with_tag: bool) -> Response:
    made = visit.find(place.parts)
    headers = [("OC-FileId", made.full_id)] if made else []
    if made and with_tag:
        headers += [("ETag", f'"{made.etag}"'), ("OC-ETag", f'"{made.etag}"')]
    return Response(204 if place.entry else 201, headers)
