"""Which properties a file or a folder has, and where each comes from."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from .shares import Right
from .trash import shelf_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .dav_entry import Entry
    from .trash import Item

D, OC, NC = "{DAV:}", "{http://owncloud.org/ns}", "{http://nextcloud.org/ns}"
OCS = "{http://open-collaboration-services.org/ns}"

FAVORITE = OC + "favorite"
LAST_MODIFIED = D + "lastmodified"


def value(entry: Entry, name: str) -> str | None:
    """Return a property as XML, None if there is none of this name."""
    if compute := _FROM_DISK.get(name) or _FROM_RECORD.get(name):
        return compute(entry)
    return entry.properties.get(name)


def needs_record(name: str) -> bool:
    """Tell whether the disk alone cannot say it."""
    return name not in _FROM_DISK


def usual(entry: Entry) -> list[str]:
    """Return the properties that are told when none is asked for."""
    return _USUAL_FOLDER if entry.is_folder else _USUAL_FILE


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


@lru_cache(maxsize=4096)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def _of_file(compute: Callable[[Entry], str]) -> Callable[[Entry], str | None]:
    return lambda entry: None if entry.is_folder else compute(entry)


def _of_folder(compute: Callable[[Entry], str]) -> Callable[[Entry], str | None]:
    return lambda entry: compute(entry) if entry.is_folder else None


def _of_trash(compute: Callable[[Item], str]) -> Callable[[Entry], str | None]:
    def value(entry: Entry) -> str | None:
        shelf = entry.spot.owner
        is_deleted = shelf == shelf_of(entry.visit.world.visitor) and len(entry.parts) == 1
        return compute(entry.visit.services.trash.item(shelf, entry.node.path)) if is_deleted else None

    return value


def _count(folders: bool) -> Callable[[Entry], str]:
    return lambda entry: str(sum(member.is_folder is folders for member in entry.members()))


def _available(entry: Entry) -> str:
    quota = entry.visit.services.quota
    owner = entry.spot.owner.partition("/")[0]
    return str(quota.free(0 if quota.limit is None else quota.used(owner)))


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
    D + "getlastmodified": lambda entry: _date(int(entry.modified)),
    D + "getcontentlength": _of_file(lambda entry: str(entry.size)),
    D + "resourcetype": lambda entry: "<d:collection/>" if entry.is_folder else "",
    D + "getetag": lambda entry: f"&quot;{entry.etag}&quot;",
    D + "getcontenttype": _of_file(lambda entry: escape(entry.content_type)),
    D + "quota-used-bytes": _of_folder(lambda entry: str(entry.size)),
    D + "quota-available-bytes": _of_folder(_available),
    D + "displayname": lambda entry: escape(entry.name),
    OC + "permissions": letters,
    OC + "size": lambda entry: str(entry.size),
    OC + "owner-id": lambda entry: escape(entry.spot.owner.partition("/")[0]),
    OC + "owner-display-name": _owner_name,
    NC + "mount-type": lambda entry: "shared" if entry.spot.share else "",
    NC + "has-preview": lambda _: "false",
    NC + "contained-file-count": _of_folder(_count(folders=False)),
    NC + "contained-folder-count": _of_folder(_count(folders=True)),
    OCS + "share-permissions": _share_permissions,
    NC + "trashbin-filename": _of_trash(lambda item: escape(item.name)),
    NC + "trashbin-original-location": _of_trash(lambda item: escape(item.path)),
    NC + "trashbin-deletion-time": _of_trash(lambda item: str(item.deleted)),
    LAST_MODIFIED: lambda entry: str(entry.modified),
}
"""Properties that the disk tells."""

_FROM_RECORD: dict[str, Callable[[Entry], str | None]] = {
    D + "creationdate": lambda entry: datetime.fromtimestamp(entry.record.created, UTC).isoformat(),
    OC + "id": lambda entry: entry.full_id,
    OC + "fileid": lambda entry: str(entry.record.id),
    OC + "checksums": _checksums,
    OC + "share-types": _share_types,
    NC + "creation_time": lambda entry: str(entry.record.created),
    NC + "upload_time": lambda entry: str(entry.record.uploaded),
    FAVORITE: lambda entry: entry.properties.get(FAVORITE, "0"),
}
"""Properties that need the record."""

_USUAL_FILE = [
    D + name for name in ("getlastmodified", "getcontentlength", "resourcetype", "getetag", "getcontenttype")
]
_USUAL_FOLDER = [
    D + name for name in ("getlastmodified", "resourcetype", "quota-used-bytes", "quota-available-bytes", "getetag")
]
READ_ONLY = {*_FROM_DISK, *_FROM_RECORD} - {FAVORITE, LAST_MODIFIED}
