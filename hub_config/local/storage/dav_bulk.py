"""Bulk upload: many small files in one request, ``POST /remote.php/dav/bulk``.

At the first part that is broken or whose hash does not fit the server stops and says what it has stored so far. A
file that cannot be stored (no such folder, no right, no room) is said to be so, and the others go on.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from . import multipart
from .dav_entry import Visit
from .dav_properties import letters
from .dav_store import file_target, receive, settle
from .errors import Refused, from_disk
from .http import Response
from .multipart import Stream, boundary
from .names import plain_segments

if TYPE_CHECKING:
    from .accounts import User
    from .http import Request
    from .multipart import Part
    from .services import Services

_ALGORITHMS = {"SHA1": "sha1", "MD5": "md5", "SHA256": "sha256"}


class _BrokenPart(Exception):  # noqa: N818
    """A part is not what it says; nothing after it can be trusted."""


def answer(services: Services, request: Request, user: User, parts: list[str]) -> Response:
    """Store the files of a request, and say of each what became of it."""
    if parts:
        raise Refused(404)
    if request.method != "POST":
        raise Refused(404)
    visit = Visit(services, request, services.home(user, "remote.php", "dav", "files", user.uid))
    done: dict[str, dict[str, Any]] = {}
    mark = boundary(request.environ.get("CONTENT_TYPE", ""))
    try:
        for part in multipart.parts(Stream(request.read), mark):
            path, said = _checked(part)
            done[path] = _stored(visit, part, path, said)
    except (_BrokenPart, Refused, OSError, ValueError):
        return _answered(400, done)
    return _answered(200, done)


def _checked(part: Part) -> tuple[str, tuple[str, str]]:
    """Return a part's path, and the algorithm and value of its hash."""
    path = part.headers.get("x-file-path", "")
    if digest := part.headers.get("x-file-md5"):
        said = "md5", digest
    else:
        name, _, digest = part.headers.get("oc-checksum", "").partition(":")
        said = _ALGORITHMS.get(name.upper(), ""), digest
    if not path or not all(said):
        raise _BrokenPart
    return path, said


def _stored(visit: Visit, part: Part, path: str, said: tuple[str, str]) -> dict[str, Any]:
    digest = hashlib.new(said[0], usedforsecurity=False)
    try:
        return _kept(visit, part, path, digest, said[1])
    except Refused as refusal:
        whole = f"/{visit.world.visitor}/files/{path.lstrip('/')}"
        message = f'Could not create path "{whole}"' if refusal.status == 404 else refusal.message
    except OSError as error:
        message = from_disk(error).message
    part.skip(digest)
    _verify(digest, said[1])
    return {"error": True, "message": message or f'Could not write to "{path}"'}


def _kept(visit: Visit, part: Part, path: str, digest: Any, said: str) -> dict[str, Any]:
    services, wanted = visit.services, plain_segments(path)
    spot = visit.world.spot(wanted)
    with services.busy.hold((spot.owner, spot.path)):
        place = file_target(visit, wanted, missing_parent=404)
        with (
            services.quota.reserve(place.owner, part.length, place.path, place.old_size),
            services.homes.draft() as draft,
        ):
            receive(part.read, draft, part.length, None, digest)
            _verify(digest, said)
            settle(visit, place, draft, part.headers.get("x-file-mtime") or part.headers.get("x-oc-mtime"))
        made = visit.find(wanted)
    if made is None:
        raise Refused(409, "The file was removed at once.")
    return {"error": False, "etag": made.etag, "fileid": made.full_id, "permissions": letters(made)}


def _verify(digest: Any, said: str) -> None:
    if digest.hexdigest() != said.lower():
        raise _BrokenPart


def _answered(status: int, done: dict[str, dict[str, Any]]) -> Response:
    body = json.dumps(done).replace("/", r"\/").encode()
    return Response(
        status, [("Content-Type", "text/html; charset=UTF-8"), ("Content-Length", str(len(body)))], [body]
    )
