"""PROPFIND: which properties there are, and the listing itself, streamed so that a large tree takes no memory.

WsgiDAV's own PROPFIND is not used: it takes a missing ``Depth`` for *infinity* where Nextcloud takes 1, and it holds
the whole tree three times over (resources, XML elements, text) before the first byte leaves.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from email.utils import formatdate
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from wsgidav.util import parse_xml_body

from .errors import Refused
from .http import Response
from .shares import Right

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .dav_entry import Entry, Visit

_D, _OC, _NC = "{DAV:}", "{http://owncloud.org/ns}", "{http://nextcloud.org/ns}"
_OCS = "{http://open-collaboration-services.org/ns}"
_PREFIXES = {_D: "d:", _OC: "oc:", _NC: "nc:"}
_HEAD = (
    '<?xml version="1.0"?>\n<d:multistatus xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns" '
    'xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns">'
)
_BATCH = 256
_FOREIGN_HOME = "<d:resourcetype><d:collection/></d:resourcetype>"

FAVORITE = _OC + "favorite"
LAST_MODIFIED = _D + "lastmodified"


def propfind(visit: Visit, parts: list[str]) -> Response:
    """List a file, a folder with its members (depth 1, the default), or a whole tree (*infinity*)."""
    entry = visit.find(parts)
    if entry is None:
        raise Refused(404, f"File with name /{'/'.join(parts)} could not be located")
    if Right.READ not in entry.spot.rights:
        raise Refused(405)
    depth = (visit.request.header("Depth") or "1").lower()
    if depth not in {"0", "1", "infinity"}:
        raise Refused(400, f"The Depth header must be 0, 1 or infinity, not {depth!r}.")
    wanted = _wanted(visit)
    return multistatus(_responses(_walk(entry, depth), wanted))


def foreign_home(href: str) -> Response:
    """Answer for another user's home: that it is a folder, and nothing else."""
    return multistatus(iter([_response(href, _FOREIGN_HOME, "")]))


def multistatus(responses: Iterator[str]) -> Response:
    """Wrap responses."""
    body = itertools.chain([_HEAD], responses, ["</d:multistatus>\n"])
    return Response(207, [("Content-Type", "application/xml; charset=utf-8")], (text.encode() for text in body))


def letters(entry: Entry) -> str:
    """Return ``oc:permissions``: what the visitor may do, one letter each."""
    rights, mount = entry.spot.rights, entry.spot.is_mount
    shared = entry.spot.share is not None
    can = {
        "S": shared,
        "R": Right.SHARE in rights,
        "G": Right.READ in rights,
        "D": Right.DELETE in rights or mount,
        "NV": Right.UPDATE in rights or mount,
        "W": Right.UPDATE in rights and not entry.is_folder,
        "CK": Right.CREATE in rights and entry.is_folder,
    }
    return "".join(letter for letter, yes in can.items() if yes)


def _wanted(visit: Visit) -> list[str] | None:
    """Return the properties that the body asks for by name, None if it leaves the choice to us."""
    root = parse_xml_body(visit.request.environ, allow_empty=True)
    if root is None:
        return None
    if root.tag != _D + "propfind":
        raise Refused(400, "The body is no propfind.")
    asked = root.find(_D + "prop")
    return None if asked is None else list(dict.fromkeys(child.tag for child in asked if isinstance(child.tag, str)))


def _walk(entry: Entry, depth: str) -> Iterator[Entry]:
    yield entry
    if depth != "0" and entry.is_folder:
        below = "infinity" if depth == "infinity" else "0"
        for member in entry.members():
            yield from _walk(member, below)


def _responses(entries: Iterator[Entry], wanted: list[str] | None) -> Iterator[str]:
    needs_records = wanted is not None and any(name not in _FROM_DISK for name in wanted)
    while batch := list(itertools.islice(entries, _BATCH)):
        if needs_records:
            records = batch[0].visit.services.nodes.records([entry.node for entry in batch])
            for entry, record in zip(batch, records, strict=True):
                entry.record = record
        yield "".join(_described(entry, wanted) for entry in batch)


def _described(entry: Entry, wanted: list[str] | None) -> str:
    names = wanted
    if names is None:
        names = _DEFAULT_FOLDER if entry.is_folder else _DEFAULT_FILE
    found, missing = [], []
    for name in names:
        value = _value(entry, name)
        if value is None:
            missing.append(_element(name, ""))
        else:
            found.append(_element(name, value))
    return _response(escape(entry.href), "".join(found), "".join(missing))


def _response(href: str, found: str, missing: str) -> str:
    stats = ""
    if found or not missing:
        stats += f"<d:propstat><d:prop>{found}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>"
    if missing:
        stats += f"<d:propstat><d:prop>{missing}</d:prop><d:status>HTTP/1.1 404 Not Found</d:status></d:propstat>"
    return f"<d:response><d:href>{href}</d:href>{stats}</d:response>"


def _value(entry: Entry, name: str) -> str | None:
    if compute := _FROM_DISK.get(name) or _FROM_RECORD.get(name):
        return compute(entry)
    return entry.properties.get(name)


def _element(name: str, value: str) -> str:
    namespace, _, local = name.rpartition("}")
    prefix = _PREFIXES.get(namespace + "}")
    declared = ""
    if prefix is None:
        prefix, declared = ("x:", f" xmlns:x={quoteattr(namespace[1:])}") if namespace else ("", "")
    tag = prefix + local
    return f"<{tag}{declared}>{value}</{tag}>" if value else f"<{tag}{declared}/>"


def _of_file(compute: Callable[[Entry], str]) -> Callable[[Entry], str | None]:
    return lambda entry: None if entry.is_folder else compute(entry)


def _of_folder(compute: Callable[[Entry], str]) -> Callable[[Entry], str | None]:
    return lambda entry: compute(entry) if entry.is_folder else None


def _count(folders: bool) -> Callable[[Entry], str]:
    return lambda entry: str(sum(member.is_folder is folders for member in entry.members()))


def _available(entry: Entry) -> str:
    quota = entry.visit.services.quota
    return str(quota.free(0 if quota.limit is None else quota.used(entry.spot.owner)))


def _checksums(entry: Entry) -> str | None:
    checksum = entry.record.checksum
    return None if checksum is None else f"<oc:checksum>{escape(checksum)}</oc:checksum>"


def _owner_name(entry: Entry) -> str:
    owner = entry.visit.services.accounts.user(entry.spot.owner)
    return escape(owner.name if owner else entry.spot.owner)


def _share_types(entry: Entry) -> str:
    kinds = entry.visit.services.nodes.share_types(entry.record)
    return "".join(f"<oc:share-type>{kind}</oc:share-type>" for kind in kinds)


def _share_permissions(entry: Entry) -> str:
    return str(int(entry.spot.rights if entry.is_folder else entry.spot.rights & Right.FILE))


_FROM_DISK: dict[str, Callable[[Entry], str | None]] = {
    _D + "getlastmodified": lambda entry: formatdate(entry.modified, usegmt=True),
    _D + "getcontentlength": _of_file(lambda entry: str(entry.size)),
    _D + "resourcetype": lambda entry: "<d:collection/>" if entry.is_folder else "",
    _D + "getetag": lambda entry: f"&quot;{entry.etag}&quot;",
    _D + "getcontenttype": _of_file(lambda entry: escape(entry.content_type)),
    _D + "quota-used-bytes": _of_folder(lambda entry: str(entry.size)),
    _D + "quota-available-bytes": _of_folder(_available),
    _D + "displayname": lambda entry: escape(entry.name),
    _OC + "permissions": letters,
    _OC + "size": lambda entry: str(entry.size),
    _OC + "owner-id": lambda entry: escape(entry.spot.owner),
    _OC + "owner-display-name": _owner_name,
    _NC + "mount-type": lambda entry: "shared" if entry.spot.share else "",
    _NC + "has-preview": lambda _: "false",
    _NC + "contained-file-count": _of_folder(_count(folders=False)),
    _NC + "contained-folder-count": _of_folder(_count(folders=True)),
    _OCS + "share-permissions": _share_permissions,
    LAST_MODIFIED: lambda entry: str(entry.modified),
}
"""Properties that the disk tells."""

_FROM_RECORD: dict[str, Callable[[Entry], str | None]] = {
    _D + "creationdate": lambda entry: datetime.fromtimestamp(entry.record.created, UTC).isoformat(),
    _OC + "id": lambda entry: entry.full_id,
    _OC + "fileid": lambda entry: str(entry.record.id),
    _OC + "checksums": _checksums,
    _OC + "share-types": _share_types,
    _NC + "creation_time": lambda entry: str(entry.record.created),
    _NC + "upload_time": lambda entry: str(entry.record.uploaded),
    FAVORITE: lambda entry: entry.properties.get(FAVORITE, "0"),
}
"""Properties that need the record."""

_DEFAULT_FILE = [
    _D + name for name in ("getlastmodified", "getcontentlength", "resourcetype", "getetag", "getcontenttype")
]
_DEFAULT_FOLDER = [
    _D + name for name in ("getlastmodified", "resourcetype", "quota-used-bytes", "quota-available-bytes", "getetag")
]
READ_ONLY = {*_FROM_DISK, *_FROM_RECORD} - {FAVORITE, LAST_MODIFIED}
