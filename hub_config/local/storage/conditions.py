"""Conditional requests: ``If-(None-)Match``, ``If-(Un)Modified-Since``, ``If-Range`` and WebDAV's ``If``.

Written here because WsgiDAV skips them all for a file that does not exist yet (``If-Match`` must then fail), knows no
``If`` for a destination, and its 412 does not carry the present tag that a client needs to report the conflict.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from .errors import Refused
from .names import segments

if TYPE_CHECKING:
    from collections.abc import Callable

    from .http import Request

_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_IF = re.compile(r"<([^>]*)>|\(([^)]*)\)")


def check(request: Request, etag: str | None, modified: float) -> None:
    """Evaluate the request's conditions on a resource.

    Parameters
    ----------
    request
        The request.
    etag
        The resource's entity tag, None if it does not exist.
    modified
        Its modification time.

    Raises
    ------
    Refused
        412, or 304 where a reader already has the present state.
    """
    reading = request.method in {"GET", "HEAD"}
    if (wanted := request.header("If-Match")) and not _matches(wanted, etag):
        raise _failed("If-Match", etag)
    unmodified = _moment(request.header("If-Unmodified-Since"))
    if unmodified is not None and etag and int(modified) > unmodified:
        raise _failed("If-Unmodified-Since", etag)
    if known := request.header("If-None-Match"):
        if _matches(known, etag):
            raise Refused(304, headers=[("ETag", f'"{etag}"')]) if reading else _failed("If-None-Match", etag)
        return
    since = _moment(request.header("If-Modified-Since"))
    if reading and since is not None and int(modified) <= since:
        raise Refused(304, headers=[("ETag", f'"{etag}"')])


def check_if(request: Request, parts: list[str], etag_of: Callable[[list[str]], str | None]) -> None:
    """Evaluate WebDAV's ``If`` header: for some list, each of its entity tags is the present one of its resource.

    There are no locks here, so a lock token never matches.
    """
    header = request.header("If")
    if not header:
        return
    about = parts
    for url, conditions in _IF.findall(header):
        if url:
            about = segments(url)
        elif _holds(conditions, etag_of(about)):
            return
    raise _failed("If", etag_of(parts))


def matches_range(request: Request, etag: str, modified: float) -> bool:
    """Tell whether a range may be served: ``If-Range`` is absent or names the present state."""
    wanted = request.header("If-Range")
    if wanted is None:
        return True
    moment = _moment(wanted)
    return moment == int(modified) if moment is not None else wanted.strip() == f'"{etag}"'


def _holds(conditions: str, etag: str | None) -> bool:
    tags = re.findall(r'(Not\s+)?(?:\[(?:W/)?"([^"]*)"\]|<[^>]*>)', conditions)
    return bool(tags) and all((tag == etag and etag is not None) != bool(negated) for negated, tag in tags)


def _matches(header: str, etag: str | None) -> bool:
    if etag is None:
        return False
    return header.strip() == "*" or etag in _TAG.findall(header) or header.strip() == etag


def _moment(header: str | None) -> float | None:
    try:
        return parsedate_to_datetime(header).timestamp() if header else None
    except ValueError:
        return None


def _failed(header: str, etag: str | None) -> Refused:
    return Refused(
        412,
        f"An {header} header was specified, but the condition was not met.",
        detail=f"\n  <s:header>{header}</s:header>",
        headers=[("ETag", f'"{etag}"')] if etag else [],
    )
