"""The server's front door: which part answers a path, and what every answer has in common.

Each part is one module with one line in the table here.
"""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from . import dav, dav_bulk, dav_trash, dav_uploads, ocs
from .dav_list import foreign_home
from .errors import NotSignedIn, Refused, from_disk
from .http import Request, Response
from .login import Login
from .ocs_cloud import Cloud, status_page
from .ocs_shares import Sharing
from .signin import basic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .accounts import User
    from .services import Services
    from .shares import Share

    Handler = Callable[[Request, list[str]], Response]

_log = logging.getLogger(__name__)
_READING = {"GET", "HEAD", "PROPFIND", "OPTIONS"}
_ALWAYS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
]


class Storage:
    """The WSGI application."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._ocs = {**Cloud(services).table, **Sharing(services).table}
        login = Login(services)
        self._parts: dict[tuple[str, ...], Handler] = {
            ("status.php",): status_page,
            ("ocs", "v1.php"): lambda request, parts: ocs.answer(self._ocs, request, 1, parts),
            ("ocs", "v2.php"): lambda request, parts: ocs.answer(self._ocs, request, 2, parts),
            ("remote.php", "dav", "files"): self._files,
            ("remote.php", "dav", "uploads"): self._own(dav_uploads.answer),
            ("remote.php", "dav", "trashbin"): self._own(dav_trash.answer),
            ("remote.php", "dav", "bulk"): self._own(dav_bulk.answer),
            ("remote.php", "webdav"): self._own_files,
            ("remote.php", "dav"): _left_out,
            ("public.php", "dav", "files"): self._link,
            ("public.php", "webdav"): self._old_link,
            ("login", "v2"): login.answer,
            ("apps", "user_oidc"): login.back,
            ("s",): self._link_page,
        }

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        request = Request(environ)
        response = self._answer(request)
        given = {name for name, _ in response.headers}
        headers = response.headers + [pair for pair in _ALWAYS if pair[0] not in given]
        if request.user:
            headers.append(("X-User-Id", request.user))
        if not request.drain():
            headers.append(("Connection", "close"))
        if not response.body and "Content-Length" not in given and response.status != 204:
            headers.append(("Content-Length", "0"))
        start_response(response.status_line, headers)
        return response.body

    def _answer(self, request: Request) -> Response:
        try:
            return self._route(request)
        except Refused as refusal:
            return _refusal(request, refusal)
        except OSError as error:
            return _refusal(request, from_disk(error))
        except sqlite3.OperationalError as error:
            full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
            return _refusal(request, Refused(507 if full else 503, "The storage's database cannot be written."))
        except Exception:
            _log.exception("A %s request failed", request.method)
            return _refusal(request, Refused(500, "The server met an error; its log says more."))

    def _route(self, request: Request) -> Response:
        parts = request.parts
        if parts[:1] == ["index.php"]:
            parts = parts[1:]
        for length in range(min(3, len(parts)), 0, -1):
            if handler := self._parts.get(tuple(parts[:length])):
                return handler(request, parts[length:])
        raise Refused(404, "There is nothing at this address.")

    def _files(self, request: Request, parts: list[str]) -> Response:
        user = self._services.sign_in.required(request).user
        if not parts:
            raise Refused(404, "The address must name a user.")
        if parts[0] != user.uid:
            return self._foreign(request, parts)
        world = self._services.home(user, "remote.php", "dav", "files", user.uid)
        return dav.answer(self._services, request, world, parts[1:])

    def _own_files(self, request: Request, parts: list[str]) -> Response:
        user = self._services.sign_in.required(request).user
        return dav.answer(self._services, request, self._services.home(user, "remote.php", "webdav"), parts)

    def _own(self, answer: Callable[[Services, Request, User, list[str]], Response]) -> Handler:
        """Return the handler of a part that each user has for themselves."""

        def handle(request: Request, parts: list[str]) -> Response:
            return answer(self._services, request, self._services.sign_in.required(request).user, parts)

        return handle

    def _foreign(self, request: Request, parts: list[str]) -> Response:
        """Answer for another user's home: it is there, and that is all."""
        if request.method not in _READING:
            raise Refused(403)
        uid, *below = parts
        if request.method == "PROPFIND" and not below and self._services.accounts.user(uid):
            return foreign_home(f"/remote.php/dav/files/{quote(uid)}/")
        raise Refused(404, f"File with name /{'/'.join(below)} could not be located")

    def _link(self, request: Request, parts: list[str]) -> Response:
        share = self._opened(request, parts[0] if parts else "")
        world = self._services.link(share, "public.php", "dav", "files", parts[0])
        return dav.answer(self._services, request, world, parts[1:])

    def _old_link(self, request: Request, parts: list[str]) -> Response:
        """Answer at the old address of all public links, where the token is the login."""
        _, _, value = (request.header("Authorization") or "").partition(" ")
        token, _ = basic(value)
        if not token:
            raise NotSignedIn("No 'Authorization: Basic' header found", tried=False)
        world = self._services.link(self._opened(request, token), "public.php", "webdav")
        return dav.answer(self._services, request, world, parts)

    def _opened(self, request: Request, token: str) -> Share:
        """Return the public link, if it is there, still good, and the password fits."""
        share = self._services.shares.by_token(token)
        if share is None:
            raise Refused(404, "This share does not exist or is no longer available")
        if share.expired:
            raise Refused(503, "Sabre\\DAV\\Exception\\NotFound: This share has expired")
        if share.password is None:
            return share
        self._services.guard.admit(request.address)
        scheme, _, value = (request.header("Authorization") or "").partition(" ")
        if scheme.lower() != "basic":
            raise NotSignedIn("No 'Authorization: Basic' header found", tried=False)
        if not share.opens_with(basic(value)[1]):
            self._services.guard.failed(request.address)
            raise NotSignedIn("Username or password was incorrect", tried=True)
        return share

    def _link_page(self, request: Request, parts: list[str]) -> Response:
        """Lead a browser from a link's page to its download: the pages themselves are left out."""
        token, *action = parts or [""]
        share = self._services.shares.by_token(token)
        if share is None or share.expired or action not in ([], ["download"]):
            raise Refused(404, "This share does not exist or is no longer available")
        path = "/".join(filter(None, [request.query.get("path", "").strip("/"), request.query.get("files", "")]))
        below = f"/{quote(path)}" if path else "?accept=zip"
        return Response(303, [("Location", f"/public.php/dav/files/{quote(token)}{below}")])


def _left_out(request: Request, parts: list[str]) -> Response:
    raise Refused(501, f"{request.method} on /remote.php/dav/{'/'.join(parts[:1])} is not implemented.")


def _refusal(request: Request, refusal: Refused) -> Response:
    headers = list(refusal.headers)
    if refusal.status == 401:
        dummy = "Dummy" if request.header("X-Requested-With") == "XMLHttpRequest" else ""
        headers.append(("WWW-Authenticate", f'{dummy}Basic realm="Nextcloud", charset="UTF-8"'))
    if refusal.status == 304:
        return Response(304, headers)
    body = refusal.body
    headers += [("Content-Type", "application/xml; charset=utf-8"), ("Content-Length", str(len(body)))]
    return Response(refusal.status, headers, [] if request.method == "HEAD" else [body])
