"""Chunked upload: ``/remote.php/dav/uploads/USER/UPLOAD/CHUNK``, and ``.file``, which a MOVE makes the real file."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from . import disk
from .conditions import check
from .dav_entry import Visit
from .dav_list import depth, described, multistatus, wanted
from .dav_move import destination, refuse_overwriting
from .dav_properties import OC, D
from .dav_store import file_target, hasher, receive, settle, stored
from .errors import Refused
from .http import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .accounts import User
    from .http import Request
    from .services import Services

    Handler = Callable[[Visit, str, list[str]], Response]

WHOLE = ".file"
"""The name under which the chunks together can be moved."""
_ALLOW = "OPTIONS, MKCOL, PUT, PROPFIND, MOVE, DELETE"
_DEEPEST = 3


def answer(services: Services, request: Request, user: User, parts: list[str]) -> Response:
    """Answer a request below ``/remote.php/dav/uploads``."""
    if request.method == "OPTIONS":
        return Response(200, [("Allow", _ALLOW), ("DAV", "1, 3"), ("Content-Length", "0")])
    if parts[:1] != [user.uid]:
        raise Refused(409 if request.method == "MKCOL" else 404)
    visit = Visit(services, request, services.home(user, "remote.php", "dav", "files", user.uid))
    handler = _HANDLERS.get((request.method, len(parts)))
    if handler is None:
        raise Refused(404 if len(parts) > _DEEPEST else 405)
    return handler(visit, user.uid, parts[1:])


def _begin(visit: Visit, uid: str, parts: list[str]) -> Response:
    visit.services.uploads.begin(uid, parts[0])
    return Response(201)


def _put(visit: Visit, uid: str, parts: list[str]) -> Response:
    """Store a chunk; a whole new one takes the place of an old one of the same name."""
    services, request = visit.services, visit.request
    name, chunk = parts
    if chunk == WHOLE:
        raise Refused(403, "Permission denied to put into this file")
    path = services.uploads.folder(uid, name) / chunk
    _refuse_hopeless(visit, uid)
    digest = hasher(request.header("X-Hash"))
    with services.busy.hold((_shelf(uid), f"{name}/{chunk}")), services.homes.draft() as draft:
        known = path.exists()
        receive(request.read, draft, request.length, None, digest)
        try:
            draft.replace(path)
        except FileNotFoundError:
            raise Refused(404, f"File with name {name} could not be located") from None
        tag = f'"{disk.etag(path.stat())}"'
    return Response(204 if known else 201, [("ETag", tag), ("OC-ETag", tag), *_told(digest)])


def _refuse_hopeless(visit: Visit, uid: str) -> None:
    """Refuse a chunk of a file that could not be stored in the end, as far as the client says what it will be."""
    quota, total, owner = visit.services.quota, visit.request.total, uid
    if visit.request.header("Destination"):
        owner = file_target(visit, destination(visit), missing_parent=404).owner
    room = quota.room(owner)
    if total is not None and room is not None and total > room:
        raise Refused(507, "Insufficient space")


def _move(visit: Visit, uid: str, parts: list[str]) -> Response:
    """Make the chunks one file at the destination."""
    services, request = visit.services, visit.request
    name, chunk = parts
    if chunk != WHOLE:
        raise Refused(403, "Only the whole upload can be moved.")
    check(request, services.uploads.get(uid, name).etag, 0)
    wanted_parts = destination(visit)
    spot, digest = visit.world.spot(wanted_parts), hasher(request.header("X-Hash"))
    with services.busy.hold((_shelf(uid), name), (spot.owner, spot.path)):
        upload = services.uploads.get(uid, name)
        refuse_overwriting(visit, wanted_parts)
        _refuse_folder(visit, wanted_parts)
        place = file_target(visit, wanted_parts, missing_parent=409)
        visit.check_if(["uploads", uid, *parts])
        if request.total is not None and request.total != upload.size:
            raise Refused(400, f"Chunks on server do not sum up to {request.total} but to {upload.size} bytes")
        with (
            services.quota.reserve(place.owner, upload.size, place.path, place.old_size),
            services.homes.draft() as draft,
        ):
            upload.assemble(draft, digest)
            settle(visit, place, draft, request.header("X-OC-MTime"), request.header("OC-Checksum"))
        services.uploads.end(upload)
        return stored(visit, place, _told(digest))


def _told(digest: Any) -> list[tuple[str, str]]:
    return [(f"X-Hash-{digest.name.upper()}", digest.hexdigest())] if digest else []


def _refuse_folder(visit: Visit, wanted_parts: list[str]) -> None:
    """Refuse to put the file where a folder is, with the status that this has here and nowhere else."""
    there = visit.find(wanted_parts)
    if there and there.is_folder:
        raise Refused(400, f"The given destination {'/'.join(wanted_parts)} is a directory.")


def _delete(visit: Visit, uid: str, parts: list[str]) -> Response:
    """Give up an upload, by its own name or that of the whole, or take back one chunk."""
    uploads = visit.services.uploads
    with visit.services.busy.hold((_shelf(uid), "/".join(parts))):
        upload = uploads.get(uid, parts[0])
        if parts[1:] in ([], [WHOLE]):
            uploads.end(upload)
            return Response(204)
        chunk = upload.chunk(parts[1])
        if chunk is None:
            raise Refused(404)
        (upload.folder / chunk.name).unlink(missing_ok=True)
    return Response(204)


def _list(visit: Visit, uid: str, parts: list[str]) -> Response:
    """List what has arrived of an upload; the uploads themselves are not listed."""
    names, how_deep = wanted(visit.request), depth(visit.request)
    if not parts and how_deep != "0":
        raise Refused(405, "Listing members of this collection is disabled")
    resources = list(_resources(visit, uid, parts))
    shown = resources[:1] if how_deep == "0" else resources
    return multistatus(described(href, names or values, values.get) for href, values in shown)


def _resources(visit: Visit, uid: str, parts: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    uploads = visit.services.uploads
    top = f"/remote.php/dav/uploads/{quote(uid)}/"
    if not parts:
        yield top, _folder(0)
        return
    upload = uploads.get(uid, parts[0])
    href = f"{top}{quote(parts[0])}/"
    files = {
        chunk.name: _file(chunk.stat.st_size, chunk.stat.st_mtime, disk.etag(chunk.stat)) for chunk in upload.chunks
    }
    files[WHOLE] = _file(upload.size, upload.folder.stat().st_mtime, upload.etag)
    if len(parts) == 2:
        if parts[1] not in files:
            raise Refused(404, f"File with name {parts[1]} could not be located")
        yield href + quote(parts[1]), files[parts[1]]
        return
    yield href, _folder(upload.folder.stat().st_mtime)
    for name, values in files.items():
        yield href + quote(name), values


def _folder(modified: float) -> dict[str, str]:
    return {D + "getlastmodified": formatdate(modified, usegmt=True), D + "resourcetype": "<d:collection/>"}


def _file(size: int, modified: float, tag: str) -> dict[str, str]:
    return {
        D + "getlastmodified": formatdate(modified, usegmt=True),
        D + "getcontentlength": str(size),
        D + "resourcetype": "",
        D + "getetag": f"&quot;{tag}&quot;",
        D + "getcontenttype": "application/octet-stream",
        OC + "size": str(size),
    }


def _shelf(uid: str) -> str:
    """Return what stands for the owner of a home where places are held: a name that no user has."""
    return f"{uid}/uploads"


_HANDLERS: dict[tuple[str, int], Handler] = {
    ("PROPFIND", 1): _list,
    ("MKCOL", 2): _begin,
    ("PROPFIND", 2): _list,
    ("DELETE", 2): _delete,
    ("PUT", 3): _put,
    ("PROPFIND", 3): _list,
    ("MOVE", 3): _move,
    ("DELETE", 3): _delete,
}
"""By method and depth of the path: 1 is the user's shelf, 2 an upload, 3 a chunk."""
