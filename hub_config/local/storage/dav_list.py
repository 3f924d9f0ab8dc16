"""PROPFIND: the listing, streamed so that a large tree takes no memory.

WsgiDAV's own PROPFIND is not used: it takes a missing ``Depth`` for *infinity* where Nextcloud takes 1, and it holds
the whole tree three times over (resources, XML elements, text) before the first byte leaves.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from defusedxml.common import DefusedXmlException
from wsgidav.dav_error import DAVError
from wsgidav.util import parse_xml_body
from wsgidav.xml_tools import etree

from . import dav_properties
from .dav_pages import page
from .dav_properties import NC, OC, D
from .errors import Refused
from .http import Response
from .shares import Right

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .dav_entry import Entry, Visit
    from .http import Request

_PREFIXES = {D: "d:", OC: "oc:", NC: "nc:"}
_HEAD = (
    '<?xml version="1.0"?>\n<d:multistatus xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns" '
    'xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns">'
)
_BATCH = 256
_FOREIGN_HOME = "<d:resourcetype><d:collection/></d:resourcetype>"


def propfind(visit: Visit, parts: list[str]) -> Response:
    """List a file, a folder with its members (depth 1, the default), or a whole tree (*infinity*)."""
    entry = visit.find(parts)
    if entry is None:
        raise Refused(404, f"File with name /{'/'.join(parts)} could not be located")
    if Right.READ not in entry.spot.rights:
        raise Refused(405)
    how_deep = depth(visit.request)
    names = wanted(visit.request)
    entries, headers = page(entry, how_deep) or (_walk(entry, how_deep), [])
    response = multistatus(_responses(iter(entries), names))
    response.headers += headers
    return response


def foreign_home(href: str) -> Response:
    """Answer for another user's home: that it is a folder, and nothing else."""
    return multistatus(iter([_response(href, _FOREIGN_HOME, "")]))


def multistatus(responses: Iterator[str]) -> Response:
    """Wrap responses."""
    body = itertools.chain([_HEAD], responses, ["</d:multistatus>\n"])
    return Response(207, [("Content-Type", "application/xml; charset=utf-8")], (text.encode() for text in body))


def described(href: str, names: Iterable[str], value: Callable[[str], str | None]) -> str:
    """Return the response for one resource; properties without a value are listed as missing."""
    found, missing = [], []
    for name in names:
        text = value(name)
        if text is None:
            missing.append(_element(name, ""))
        else:
            found.append(_element(name, text))
    return _response(escape(href), "".join(found), "".join(missing))


def depth(request: Request) -> str:
    """Return the wanted depth: ``0``, ``1`` or ``infinity``.

    Raises
    ------
    Refused
        400: it is none of these.
    """
    header = (request.header("Depth") or "1").lower()
    if header not in {"0", "1", "infinity"}:
        raise Refused(400, f"The Depth header must be 0, 1 or infinity, not {header!r}.")
    return header


def wanted(request: Request) -> list[str] | None:
    """Return the properties that the body asks for by name, None if it leaves the choice to us.

    Raises
    ------
    Refused
        400: the body is no ``propfind``.
    """
    try:
        root = parse_xml_body(request.environ, allow_empty=True)
    except (DAVError, DefusedXmlException, etree.ParseError):
        raise Refused(400, "The body is not XML that can be used.") from None
    if root is None:
        return None
    if root.tag != D + "propfind":
        raise Refused(400, "The body is no propfind.")
    asked = root.find(D + "prop")
    return None if asked is None else list(dict.fromkeys(child.tag for child in asked if isinstance(child.tag, str)))


def _walk(entry: Entry, how_deep: str) -> Iterator[Entry]:
    yield entry
    if how_deep != "0" and entry.is_folder:
        below = "infinity" if how_deep == "infinity" else "0"
        for member in entry.members():
            yield from _walk(member, below)


def _responses(entries: Iterator[Entry], names: list[str] | None) -> Iterator[str]:
    needs_records = names is not None and any(map(dav_properties.needs_record, names))
    while batch := list(itertools.islice(entries, _BATCH)):
        if needs_records:
            records = batch[0].visit.services.nodes.records([entry.node for entry in batch])
            for entry, record in zip(batch, records, strict=True):
                entry.record = record
        yield "".join(_of_entry(entry, names) for entry in batch)


def _of_entry(entry: Entry, names: list[str] | None) -> str:
    asked = dav_properties.usual(entry) if names is None else names
    return described(entry.href, asked, lambda name: dav_properties.value(entry, name))


def _response(href: str, found: str, missing: str) -> str:
    stats = ""
    if found or not missing:
        stats += f"<d:propstat><d:prop>{found}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>"
    if missing:
        stats += f"<d:propstat><d:prop>{missing}</d:prop><d:status>HTTP/1.1 404 Not Found</d:status></d:propstat>"
    return f"<d:response><d:href>{href}</d:href>{stats}</d:response>"


def _element(name: str, value: str) -> str:
    tag, declared = _tag(name)
    return f"<{tag}{declared}>{value}</{tag}>" if value else f"<{tag}{declared}/>"


@lru_cache(maxsize=1024)
def _tag(name: str) -> tuple[str, str]:
    """Return how an element of a Clark name is written, and what must be declared for it."""
    namespace, _, local = name.rpartition("}")
    prefix = _PREFIXES.get(namespace + "}")
    declared = ""
    if prefix is None:
        prefix, declared = ("x:", f" xmlns:x={quoteattr(namespace[1:])}") if namespace else ("", "")
    return prefix + local, declared
