"""The OCS frame: routing, JSON or XML, and the status that version 1 and version 2 give in different places."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from .errors import NotSignedIn, Refused
from .http import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .http import Request

    Endpoint = Callable[..., Any]
    """Takes the request and the path's variable parts, returns the data."""
    Table = Mapping[tuple[str, str], Endpoint]
    """Endpoints by method and path pattern."""


class Failure(Refused):
    """An OCS call fails with a status that is not the HTTP one."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(status, message)
        self.code = code


def answer(table: Table, request: Request, version: int, parts: list[str]) -> Response:
    """Answer a call; ``parts`` is the path below ``/ocs/vN.php``."""
    if request.header("OCS-APIRequest") != "true":
        return _json(412, {"message": "CSRF check failed"})
    headers: list[tuple[str, str]] = []
    try:
        data = _call(table, request, "/".join(parts))
        status, code, message = 200, 200 if version == 2 else 100, "OK"
    except NotSignedIn as refusal:
        data, status, code = [], 401, 997
        message = "Unauthorised" if refusal.tried else "Current user is not logged in"
        if refusal.tried:
            headers.append(("WWW-Authenticate", 'Basic realm="Authorisation Required"'))
    except Refused as refusal:
        if refusal.status == 429:
            return Response(429)
        data, status, message = [], refusal.status, refusal.message
        code = refusal.code if isinstance(refusal, Failure) else status
    meta = {"status": "ok" if status == 200 else "failure", "statuscode": code, "message": message}
    http_status = status if version == 2 or status == 401 else 200
    frame = {"ocs": {"meta": meta, "data": data}}
    wants_json = request.query.get("format") == "json" or "json" in (request.header("Accept") or "")
    response = _json(http_status, frame) if wants_json else _xml(http_status, frame["ocs"])
    response.headers += headers
    return response


def _call(table: Table, request: Request, path: str) -> Any:
    for (method, pattern), endpoint in table.items():
        if method == request.method and (match := re.fullmatch(pattern, path)):
            return endpoint(request, *match.groups())
    raise Failure(404, 998, "Invalid query, please check the syntax.")


def _json(status: int, document: Any) -> Response:
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return _sent(status, "application/json; charset=utf-8", body)


def _xml(status: int, document: Mapping[str, Any]) -> Response:
    body = f'<?xml version="1.0"?>\n<ocs>{_elements(document)}</ocs>\n'.encode()
    return _sent(status, "application/xml; charset=utf-8", body)


def _sent(status: int, kind: str, body: bytes) -> Response:
    return Response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))], [body])


def _elements(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{key}>{_elements(member)}</{key}>" for key, member in value.items())
    if isinstance(value, list):
        return "".join(f"<element>{_elements(member)}</element>" for member in value)
    if value is None or value is False:
        return ""
    return "1" if value is True else escape(str(value))
