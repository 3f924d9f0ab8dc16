"""Shares: who may reach which file or folder of someone else, under which name it lies in their root.

A share hangs on the record of its file, so it follows a MOVE and ends with a DELETE. The name in a receiver's root is
chosen when it is made (a group's: when its member first looks) and kept from then on.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any

from .accounts import random_text

if TYPE_CHECKING:
    from .accounts import User
    from .database import Database
    from .homes import Homes

_FIND = (
    "SELECT share.*, CASE node.folder WHEN '' THEN node.name ELSE node.folder || '/' || node.name END AS path "
    "FROM share JOIN node ON node.id = share.node WHERE "
)


class Kind(IntEnum):
    """With whom."""

    USER = 0
    GROUP = 1
    LINK = 3


class Right(IntFlag):
    """What a share allows."""

    READ = 1
    UPDATE = 2
    CREATE = 4
    DELETE = 8
    SHARE = 16
    FILE = READ | UPDATE | SHARE
    ALL = READ | UPDATE | CREATE | DELETE | SHARE


@dataclass(frozen=True, slots=True)
class Share:
    """One share; ``path`` is where its file lies in the owner's home now."""

    id: int
    kind: Kind
    owner: str
    receiver: str | None
    node: int
    path: str
    permissions: Right
    token: str | None
    password: str | None
    expires: str | None
    label: str
    note: str
    attributes: str | None
    created: int

    @property
    def expired(self) -> bool:
        """Whether its last day is over."""
        return self.expires is not None and self.expires < datetime.date.today().isoformat()

    def opens_with(self, password: str) -> bool:
        """Compare a link's password."""
        if self.password is None:
            return True
        salt = bytes.fromhex(self.password.partition("$")[0])
        return hmac.compare_digest(hash_password(password, salt), self.password)

    def reaches(self, user: User) -> bool:
        """Tell whether the share was given to the user, directly or through a group."""
        if self.kind is Kind.GROUP:
            return self.receiver in user.groups and self.owner != user.uid
        return self.kind is Kind.USER and self.receiver == user.uid


class Shares:
    """The table of shares."""

    def __init__(self, database: Database, homes: Homes) -> None:
        self._database = database
        self._homes = homes

    def get(self, share_id: str) -> Share | None:
        """Return a share by its id."""
        return _first(self._database.all(_FIND + "share.id = ?", share_id))

    def by_token(self, token: str) -> Share | None:
        """Return a public link."""
        return _first(self._database.all(_FIND + "share.token = ?", token))

    def by_owner(self, uid: str) -> list[Share]:
        """Return the shares that a user gave."""
        return [_share(row) for row in self._database.all(_FIND + "share.owner = ? ORDER BY share.id", uid)]

    def same(self, kind: Kind, receiver: str | None, node: int) -> Share | None:
        """Return the share of the same thing with the same receiver."""
        where = "share.kind = ? AND share.receiver = ? AND share.node = ?"
        return _first(self._database.all(_FIND + where, kind, receiver, node))

    def received(self, user: User) -> dict[str, Share]:
        """Return the shares that lie in a user's root, by their name there."""
        mounted: dict[str, Share] = {}
        fresh: list[Share] = []
        names = {
            row["share"]: row["name"]
            for row in self._database.all("SELECT share, name FROM mount WHERE uid = ?", user.uid)
        }
        seen: set[int] = set()
        for share in self._given_to(user):
            name = names.get(share.id, "")
            if name is None or share.node in seen:
                continue
            seen.add(share.node)
            if name:
                mounted[name] = share
            else:
                fresh.append(share)
        for share in fresh:
            name = self._free_name(share, user, mounted)
            self.mount(share, user.uid, name)
            mounted[name] = share
        return mounted

    def mount(self, share: Share, uid: str, name: str | None) -> None:
        """Give a received share its name in the receiver's root; None hides it."""
        self._database.execute("REPLACE INTO mount VALUES (?, ?, ?)", share.id, uid, name)

    def create(self, kind: Kind, owner: str, receiver: str | None, node: int, fields: dict[str, Any]) -> int:
        """Make a share; a link gets its token."""
        cursor = self._database.execute(
            "INSERT INTO share (kind, owner, receiver, node, permissions, token, created) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(kind, owner, receiver, node, int(fields["permissions"])),
            random_text(15) if kind is Kind.LINK else None,
            int(time.time()),
        )
        assert cursor.lastrowid is not None
        self.update(cursor.lastrowid, fields)
        return cursor.lastrowid

    def update(self, share_id: int, fields: dict[str, Any]) -> None:
        """Change some of permissions, password, expires, label, note and attributes."""
        for name, statement in _UPDATES.items():
            if name in fields:
                self._database.execute(statement, fields[name], share_id)

    def delete(self, share: Share) -> None:
        """End a share for everyone."""
        self._database.execute("DELETE FROM share WHERE id = ?", share.id)

    def leave(self, share: Share, uid: str) -> None:
        """Take a share out of a receiver's root: a user's share ends, a group's is hidden for this member."""
        if share.kind is Kind.USER:
            self.delete(share)
        else:
            self.mount(share, uid, None)

    def _given_to(self, user: User) -> list[Share]:
        where = (
            "(share.kind = 0 AND share.receiver = ?1) OR (share.kind = 1 AND share.owner != ?1 "
            "AND share.receiver IN (SELECT gid FROM membership WHERE uid = ?1)) ORDER BY share.id"
        )
        given = map(_share, self._database.all(_FIND + where, user.uid))
        return [share for share in given if not share.expired and self._homes.find(share.owner, share.path)]

    def _free_name(self, share: Share, user: User, taken: dict[str, Share]) -> str:
        wanted = share.path.rpartition("/")[2]
        stem, dot, extension = wanted.rpartition(".")
        if not stem:
            stem, dot, extension = wanted, "", ""
        name, number = wanted, 1
        while name in taken or self._homes.find(user.uid, name):
            number += 1
            name = f"{stem} ({number}){dot}{extension}"
        return name


def hash_password(password: str, salt: bytes | None = None) -> str:
    """Hash a link's password so that guessing it is slow."""
    salt = salt or secrets.token_bytes(16)
    return f"{salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1).hex()}"


_UPDATES = {
    "permissions": "UPDATE share SET permissions = ? WHERE id = ?",
    "password": "UPDATE share SET password = ? WHERE id = ?",
    "expires": "UPDATE share SET expires = ? WHERE id = ?",
    "label": "UPDATE share SET label = ? WHERE id = ?",
    "note": "UPDATE share SET note = ? WHERE id = ?",
    "attributes": "UPDATE share SET attributes = ? WHERE id = ?",
}


def _share(row: Any) -> Share:
    values = dict(row)
    return Share(**{**values, "kind": Kind(values["kind"]), "permissions": Right(values["permissions"])})


def _first(rows: list[Any]) -> Share | None:
    return _share(rows[0]) if rows else None
