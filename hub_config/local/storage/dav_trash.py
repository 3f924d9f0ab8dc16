"""The trash: ``/remote.php/dav/trashbin/USER/trash``; a MOVE to ``…/restore`` brings something back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from . import dav
from .dav_list import foreign_home
from .errors import Refused
from .http import Response
from .names import segments
from .shares import Right
from .trash import shelf_of
from .world import Spot, World

if TYPE_CHECKING:
    from .accounts import User
    from .homes import Node
    from .http import Request
    from .services import Services

_PREFIX = ("remote.php", "dav", "trashbin")
_READING = {"GET", "HEAD", "OPTIONS", "PROPFIND"}


def answer(services: Services, request: Request, user: User, parts: list[str]) -> Response:
    """Answer a request below ``/remote.php/dav/trashbin``."""
    if parts[:1] != [user.uid]:
        raise Refused(403)
    if parts == [user.uid] and request.method == "PROPFIND":
        return foreign_home(f"/remote.php/dav/trashbin/{quote(user.uid)}/")
    if parts[1:2] != ["trash"]:
        raise Refused(404)
    shelf, below = shelf_of(user.uid), parts[2:]
    services.homes.provide(shelf, empty=True)
    if request.method in _READING:
        root = Spot(shelf, "", Right.READ | Right.DELETE)
        world = World(services.homes, (*_PREFIX, user.uid, "trash"), user.uid, root, {})
        return dav.answer(services, request, world, below)
    if request.method == "DELETE" and not below:
        services.trash.empty(user.uid)
        return Response(204)
    if request.method not in {"DELETE", "MOVE"}:
        raise Refused(403 if request.method == "PUT" else 405)
    if not below:
        raise Refused(403)
    path = "/".join(below)
    with services.busy.hold((shelf, path)):
        node = services.homes.find(shelf, path)
        if node is None:
            raise Refused(404, f"File with name /{path} could not be located")
        if request.method == "MOVE":
            return _restore(services, request, user, node)
        services.trash.remove(node)
    return Response(204)


def _restore(services: Services, request: Request, user: User, node: Node) -> Response:
    """Bring something back to where it was; the name in the destination does not matter."""
    destination = segments(request.header("Destination") or "")
    if node.folder:
        raise Refused(403, "What lies in a deleted folder comes back with it.")
    if destination[:-1] != [*_PREFIX, user.uid, "restore"]:
        raise Refused(403, "Something in the trash can only be moved to the restore folder.")
    size = services.homes.totals(node, {}).size if node.is_folder else node.stat.st_size
    path = services.trash.origin(user.uid, node.path)
    with services.busy.hold((user.uid, path)), services.quota.reserve(user.uid, size, path):
        if services.trash.origin(user.uid, node.path) != path:
            raise Refused(423, f'"/{path}" is locked')
        services.trash.restore(node, user.uid, path)
    return Response(201)
