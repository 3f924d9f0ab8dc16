"""Every error is an RFC 9457 problem document with one sentence for the user."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from hub_config.platform import PREFIX, errors
from imagine_lib.wire import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI, Request
    from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)

MAX_BODY = 256 * 1024
"""Bytes of a JSON body; the longest honest one, 64 files for 64 groups, has a tenth of it."""
UPLOADS = f"{PREFIX}/blobs/"
"""Requests to these paths are streamed and have a limit of their own."""
STATUSES: dict[type[errors.Refusal], HTTPStatus] = {
    errors.NotSignedIn: HTTPStatus.UNAUTHORIZED,
    errors.NotAllowed: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Gone: HTTPStatus.GONE,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Damaged: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.Full: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
HEADERS = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "10"},
}
SENTENCES = {
    HTTPStatus.NOT_FOUND: f"There is nothing at this address: see {PREFIX}/docs for what there is.",
    HTTPStatus.METHOD_NOT_ALLOWED: f"This address takes other methods: see {PREFIX}/docs for which.",
    HTTPStatus.BAD_REQUEST: "The request's body cannot be read: send it as JSON in UTF-8.",
}
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    code: {
        "description": "The request was refused; `detail` says why in one sentence.",
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }
    for code in ("4XX", "5XX")
}
"""For the OpenAPI document of every route."""


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **extra: Any) -> JSONResponse:
    """Return a problem document.

    Parameters
    ----------
    status
        The HTTP status.
    detail
        One sentence for the user.
    headers
        Headers that go with it.
    **extra
        Members for the client's program.

    Returns
    -------
    JSONResponse
    """
    known = HTTPStatus(status)
    document = Problem.model_validate({"title": known.phrase, "status": status, "detail": detail, **extra})
    all_headers = {**HEADERS.get(known, {}), **(headers or {})}
    return JSONResponse(document.model_dump(), status, all_headers, "application/problem+json")


def speak_problems(app: FastAPI) -> None:
    """Have an app answer every error with a problem document."""
    app.add_exception_handler(errors.Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(ClientDisconnect, _cut_off)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(BodyLimit)


class BodyLimit:
    """Refuses bodies of unknown or absurd length before anything reads them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        refused = _refuse_body(scope) if scope["type"] == "http" else None
        await (refused or self._app)(scope, receive, send)


def _refuse_body(scope: Scope) -> JSONResponse | None:
    headers = dict(scope["headers"])
    upload = scope["method"] == "PUT" and scope["path"].startswith(UPLOADS)
    if b"transfer-encoding" in headers or (upload and b"content-length" not in headers):
        return problem(HTTPStatus.LENGTH_REQUIRED, "The request hides its length: send it with Content-Length.")
    if not upload and int(headers.get(b"content-length", 0)) > MAX_BODY:
        return problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is longer than {MAX_BODY:,} bytes: shorten it."
        )
    return None


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.Refusal)
    return problem(STATUSES[type(error)], str(error), **error.extra)


async def _not_valid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [{"field": _field(detail["loc"]), "message": detail["msg"]} for detail in error.errors()[:20]]
    first = found[0]
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"{first['field']} cannot be used ({first['message']}): correct it and send the request again.",
        errors=found,
    )


def _field(loc: Sequence[int | str]) -> str:
    place, *path = loc
    name = ".".join(str(part) for part in path)
    return f"{name} in the {place}" if name else f"The {place}"


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    sentence = SENTENCES.get(HTTPStatus(error.status_code), error.detail)
    return problem(error.status_code, sentence, error.headers)


async def _database(_request: Request, error: Exception) -> JSONResponse:
    log.error("The database failed", exc_info=error)
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "The database does not answer: try again in a minute.")


async def _cut_off(_request: Request, _error: Exception) -> JSONResponse:
    return problem(HTTPStatus.BAD_REQUEST, "The upload was cut off and nothing was kept: send it again.")


async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something unexpected happened in the platform; it was logged: try again, then tell the operators.",
    )
