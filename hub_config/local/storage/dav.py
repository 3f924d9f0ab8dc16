"""WebDAV: WsgiDAV's request server with Nextcloud's ways.

WsgiDAV gives the dispatch, the resource model and the handling of MKCOL and PROPPATCH. Where it cannot keep the
contract, the method is answered by a module of ours that says why: ``dav_list``, ``dav_read``, ``dav_write`` (PUT and
DELETE) and ``dav_move``. ``WsgiDAVApp`` is left out: it answers errors in HTML and closes every streamed connection.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from wsgidav.dav_error import DAVError
from wsgidav.dav_provider import DAVProvider, _DAVResource
from wsgidav.request_server import RequestServer
from wsgidav.xml_tools import etree

from .dav_entry import Entry, Visit
from .dav_list import propfind
from .dav_move import copy, move
from .dav_read import get
from .dav_write import make_folder, put, remove, set_property
from .errors import Refused
from .http import Begun, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .services import Services
    from .world import World

    Handler = Callable[[Visit, list[str]], Response]

logging.getLogger("wsgidav").setLevel(logging.CRITICAL)

_ALLOW = "OPTIONS, GET, HEAD, DELETE, PROPFIND, PUT, PROPPATCH, COPY, MOVE, REPORT"
_LEFT_OUT = ("LOCK", "UNLOCK", "SEARCH", "REPORT", "POST")


def answer(services: Services, request: Request, world: World, parts: list[str]) -> Response:
    """Answer a WebDAV request to a path of a visitor's world."""
    visit = Visit(services, request, world)
    environ = {
        **request.environ,
        "PATH_INFO": "/" + "/".join(parts),
        "wsgidav.provider": (provider := _Provider(visit)),
        "wsgidav.config": {},
        "wsgidav.verbose": 0,
    }
    response = Response(500)

    def start(status: str, headers: list[tuple[str, str]], _: object = None) -> None:
        response.status, response.headers = int(status[:3]), list(headers)

    try:
        # The first block is made here, so that whatever goes wrong before it still becomes an error document.
        response.body = Begun(_Server(provider, visit, parts)(environ, start))
    except Refused:
        raise
    except (DefusedXmlException, etree.ParseError):
        raise Refused(400, "The body is not XML that can be used.") from None
    except DAVError as error:
        if isinstance(error.src_exception, OSError):
            raise error.src_exception from None
        raise Refused(error.value, error.context_info or "") from None
    if response.status in {201, 204}:
        kept = [pair for pair in response.headers if pair[0] not in {"Content-Type", "Content-Length", "Date"}]
        response.headers, response.body = kept, ()
    response.headers += visit.headers
    return response


class _Provider(DAVProvider):  # type: ignore[misc]
    """Resources of one visitor, for the course of one request."""

    def __init__(self, visit: Visit) -> None:
        super().__init__()
        self._visit = visit

    def get_resource_inst(self, path: str | None, environ: dict[str, Any]) -> _Resource | None:
        entry = self._visit.find([part for part in (path or "").split("/") if part])
        return _Resource(entry, environ) if entry else None


class _Resource(_DAVResource):  # type: ignore[misc]
    """An entry in WsgiDAV's terms."""

    def __init__(self, entry: Entry, environ: dict[str, Any]) -> None:
        super().__init__("/" + "/".join(entry.parts), entry.is_folder, environ)
        self._entry = entry

    def get_href(self) -> str:
        return self._entry.href

    def get_content_length(self) -> int:
        return self._entry.size

    def create_collection(self, name: str) -> None:
        visit = self._entry.visit
        made = make_folder(visit, [*self._entry.parts, name])
        visit.headers.append(("OC-FileId", made.full_id))

    def set_property_value(self, name: str, value: Any, *, dry_run: bool = False) -> None:
        xml = text = None
        if value is not None:
            text = "".join(value.itertext())
            xml = "".join(etree.tostring(child, encoding="unicode") for child in value) or escape(text)
        set_property(self._entry, name, xml, text, dry_run=dry_run)


class _Server(RequestServer):  # type: ignore[misc]
    """WsgiDAV's dispatch, with the methods that it cannot do right replaced."""

    def __init__(self, provider: _Provider, visit: Visit, parts: list[str]) -> None:
        super().__init__(provider)
        self._possible_methods.extend(_LEFT_OUT)
        self._visit = visit
        self._parts = parts
        for method, handler in _OURS.items():
            setattr(self, f"do_{method}", self._by(handler))
        for method in _LEFT_OUT:
            setattr(self, f"do_{method}", self._by(_not_implemented))

    def _by(self, handler: Handler) -> Callable[..., Iterable[bytes]]:
        def do(_: dict[str, Any], start: Callable[..., None]) -> Iterable[bytes]:
            response = handler(self._visit, self._parts)
            start(response.status_line, response.headers)
            return response.body

        return do

    def _evaluate_if_headers(self, resource: _Resource | None, _: dict[str, Any]) -> None:
        self._visit.check_conditions(resource._entry.parts if resource else self._parts)

    def _send_response(
        self, environ: dict[str, Any], start: Any, resource: Any, status: int, errors: list[Any]
    ) -> Iterable[bytes]:
        if errors:
            raise errors[0][1]
        answered: Iterable[bytes] = super()._send_response(environ, start, resource, status, errors)
        return answered


def _options(*_: object) -> Response:
    features = "1, 3, extended-mkcol, nc-paginate, nextcloud-checksum-update"
    headers = [("Allow", _ALLOW), ("Accept-Ranges", "bytes"), ("DAV", features), ("Content-Length", "0")]
    return Response(200, headers)


def _not_implemented(visit: Visit, _: list[str]) -> Response:
    raise Refused(501, f"{visit.request.method} is not implemented.")


_OURS: dict[str, Handler] = {
    "OPTIONS": _options,
    "PROPFIND": propfind,
    "GET": get,
    "HEAD": get,
    "PUT": put,
    "DELETE": remove,
    "COPY": copy,
    "MOVE": move,
}
