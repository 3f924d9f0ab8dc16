"""OCS of sharing: with a user, with a group, by public link; and the search for whom to share with."""

from __future__ import annotations

import datetime
import threading
import time
from typing import TYPE_CHECKING, Any

from .dav_entry import Entry, Visit
from .errors import Refused
from .names import plain_segments
from .shares import Kind, Right, Share, hash_password

if TYPE_CHECKING:
    from .accounts import User
    from .http import Request
    from .ocs import Table
    from .services import Services

MIN_PASSWORD = 10
MAX_CREATED = 20
CREATED_WINDOW = 600
_API = "apps/files_sharing/api/v1/"


class Sharing:
    """The endpoints."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._created: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    @property
    def table(self) -> Table:
        """Return the endpoints by method and path."""
        return {
            ("GET", _API + "shares"): self.list,
            ("POST", _API + "shares"): self.create,
            ("GET", _API + "shares/([0-9]+)"): self.get,
            ("PUT", _API + "shares/([0-9]+)"): self.update,
            ("DELETE", _API + "shares/([0-9]+)"): self.delete,
            ("GET", _API + "sharees"): self.search,
        }

    def list(self, request: Request) -> Any:
        """List the shares that the user gave, all or those of a path, or those that they received."""
        user = self._services.sign_in.required(request).user
        if request.query.get("shared_with_me") == "true":
            received = self._services.shares.received(user)
            return [self._described(share, f"/{name}") for name, share in received.items()]
        shares = self._services.shares.by_owner(user.uid)
        if path := request.query.get("path"):
            entry = self._entry(request, user, path)
            shares = [share for share in shares if share.node == entry.record.id]
        return [self._described(share) for share in shares]

    def create(self, request: Request) -> dict[str, Any]:
        """Share something; the same with the same user or group again is the same share."""
        user, form = self._services.sign_in.required(request).user, request.form
        self._limit_rate(user.uid)
        entry = self._entry(request, user, form.get("path", ""))
        if entry.spot.share:
            raise Refused(403, "Only your own files and folders can be shared")
        if not entry.parts:
            raise Refused(403, "You cannot share your root folder")
        kind = _kind(form.get("shareType", ""))
        receiver = self._receiver(kind, user, form.get("shareWith", ""))
        default = Right.READ if kind is Kind.LINK else Right.ALL
        fields = {"permissions": default} | _fields(form, kind)
        fields["permissions"] = _allowed(fields["permissions"], kind, is_folder=entry.is_folder)
        shares = self._services.shares
        same = None if kind is Kind.LINK else shares.same(kind, receiver, entry.record.id)
        share_id = same.id if same else shares.create(kind, user.uid, receiver, entry.record.id, fields)
        if kind is Kind.USER and (person := self._services.accounts.user(receiver)):
            shares.received(person)
        return self._described(self._share(str(share_id)))

    def get(self, request: Request, share_id: str) -> Any:
        """Return a share, in a list of one."""
        user = self._services.sign_in.required(request).user
        return [self._described(self._reached(share_id, user))]

    def update(self, request: Request, share_id: str) -> dict[str, Any]:
        """Change a share that the user gave."""
        user = self._services.sign_in.required(request).user
        share = self._reached(share_id, user)
        if share.owner != user.uid:
            raise Refused(403, "You are not allowed to edit incoming shares")
        fields = _fields(request.form, share.kind)
        if "permissions" in fields:
            node = self._services.homes.find(share.owner, share.path)
            fields["permissions"] = _allowed(
                fields["permissions"], share.kind, is_folder=bool(node and node.is_folder)
            )
        self._services.shares.update(share.id, fields)
        return self._described(self._share(share_id))

    def delete(self, request: Request, share_id: str) -> Any:
        """End a share that the user gave, or leave one that they received."""
        user = self._services.sign_in.required(request).user
        share = self._reached(share_id, user)
        if share.owner == user.uid:
            self._services.shares.delete(share)
        else:
            self._services.shares.leave(share, user.uid)
        return []

    def search(self, request: Request) -> dict[str, Any]:
        """Find users and groups by a part of their name."""
        visitor = self._services.sign_in.required(request).user
        text, limit = request.query.get("search", ""), request.query.get("perPage", "")
        users, groups = self._services.accounts.search(text, int(limit) if limit.isdecimal() else 200)
        people = [_sharee(name, Kind.USER, uid) for uid, name in users if uid != visitor.uid]
        teams = [_sharee(gid, Kind.GROUP, gid) for gid in groups]
        exact_people = [one for one in people if text in (one["value"]["shareWith"], one["label"])]
        exact_teams = [one for one in teams if text == one["label"]]
        return {
            "exact": {"users": exact_people, "groups": exact_teams},
            "users": [one for one in people if one not in exact_people],
            "groups": [one for one in teams if one not in exact_teams],
        }

    def _entry(self, request: Request, user: User, path: str) -> Entry:
        parts = plain_segments(path)
        entry = Visit(self._services, request, self._services.home(user)).find(parts)
        if entry is None:
            raise Refused(404, "Wrong path, file/folder does not exist")
        return entry

    def _receiver(self, kind: Kind, user: User, receiver: str) -> str | None:
        if kind is Kind.LINK:
            return None
        if kind is Kind.USER and self._services.accounts.user(receiver) is None:
            raise Refused(404, "Please specify a valid account to share with")
        if kind is Kind.GROUP and not self._services.accounts.group_exists(receiver):
            raise Refused(404, "Please specify a valid group")
        if kind is Kind.USER and receiver == user.uid:
            raise Refused(403, "You cannot share with yourself")
        return receiver

    def _share(self, share_id: str) -> Share:
        share = self._services.shares.get(share_id)
        if share is None:
            raise Refused(404, "Wrong share ID, share does not exist")
        return share

    def _reached(self, share_id: str, user: User) -> Share:
        share = self._share(share_id)
        if share.owner != user.uid and not share.reaches(user):
            raise Refused(404, "Wrong share ID, share does not exist")
        return share

    def _limit_rate(self, uid: str) -> None:
        since = time.monotonic() - CREATED_WINDOW
        with self._lock:
            recent = [moment for moment in self._created.get(uid, []) if moment > since]
            if len(recent) >= MAX_CREATED:
                raise Refused(429)
            self._created[uid] = [*recent, time.monotonic()]

    def _described(self, share: Share, target: str | None = None) -> dict[str, Any]:
        services = self._services
        node = services.homes.find(share.owner, share.path)
        owner = services.accounts.user(share.owner)
        receiver = services.accounts.user(share.receiver) if share.kind is Kind.USER else None
        is_folder = bool(node and node.is_folder)
        size = (services.homes.totals(node, {}).size if is_folder else node.stat.st_size) if node else 0
        target = target or "/" + share.path.rpartition("/")[2]
        is_link = share.kind is Kind.LINK
        return {
            "id": str(share.id),
            "share_type": int(share.kind),
            "uid_owner": share.owner,
            "displayname_owner": owner.name if owner else share.owner,
            "uid_file_owner": share.owner,
            "permissions": int(share.permissions),
            "stime": share.created,
            "parent": None,
            "expiration": f"{share.expires} 23:59:59" if share.expires else None,
            "token": share.token,
            "note": share.note,
            "label": share.label,
            "path": f"/{share.path}",
            "item_type": "folder" if is_folder else "file",
            "item_size": size,
            "item_source": share.node,
            "file_source": share.node,
            "file_target": target,
            "share_with": share.password if is_link else share.receiver,
            "share_with_displayname": receiver.name if receiver else (share.password if is_link else share.receiver),
            "password": share.password if is_link else None,
            "url": f"{services.config.url}/s/{share.token}" if is_link else None,
            "mail_send": 1,
            "hide_download": 0,
            "attributes": share.attributes,
        }


def _kind(text: str) -> Kind:
    try:
        return Kind(int(text or Kind.USER))
    except ValueError:
        raise Refused(403, "Unknown share type") from None


def _allowed(wanted: Right, kind: Kind, *, is_folder: bool) -> Right:
    """Return the rights as they are kept: a readable link may be shared on, a file holds nothing to create."""
    if kind is Kind.LINK and Right.READ in wanted:
        wanted |= Right.SHARE
    return wanted if is_folder else wanted & Right.FILE


def _fields(form: dict[str, str], kind: Kind) -> dict[str, Any]:
    """Return the fields of a form that are to be kept."""
    fields: dict[str, Any] = {name: form[name] for name in ("label", "note", "attributes") if name in form}
    if text := form.get("permissions"):
        if not text.isdecimal() or not 0 < int(text) <= Right.ALL:
            raise Refused(400, "Invalid permissions")
        fields["permissions"] = Right(int(text))
    if "expireDate" in form:
        fields["expires"] = _date(form["expireDate"]) if form["expireDate"] else None
    if "password" in form and kind is Kind.LINK:
        fields["password"] = _password(form["password"]) if form["password"] else None
    return fields


def _date(text: str) -> str:
    try:
        day = datetime.date.fromisoformat(text[:10])
    except ValueError:
        raise Refused(404, "Invalid date. Format must be YYYY-MM-DD") from None
    if day < datetime.date.today():
        raise Refused(404, "Expiration date is in the past")
    return day.isoformat()


def _password(text: str) -> str:
    if len(text) < MIN_PASSWORD:
        raise Refused(400, f"Password needs to be at least {MIN_PASSWORD} characters long")
    return hash_password(text)


def _sharee(label: str, kind: Kind, receiver: str) -> dict[str, Any]:
    return {"label": label, "value": {"shareType": int(kind), "shareWith": receiver}}
