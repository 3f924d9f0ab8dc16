"""Users and their app passwords."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import Refused

if TYPE_CHECKING:
    from .database import Database
    from .homes import Homes
    from .iam import Claims

_LETTERS = string.ascii_letters + string.digits
APP_PASSWORD_LENGTH = 72


@dataclass(frozen=True)
class User:
    """Someone who has a home here."""

    uid: str
    name: str
    email: str | None
    groups: frozenset[str]


class Accounts:
    """The table of users."""

    def __init__(self, database: Database, homes: Homes) -> None:
        self._database = database
        self._homes = homes
        self._provisioning = threading.Lock()

    def user(self, uid: str | None) -> User | None:
        """Return a user, or None."""
        row = self._database.one("SELECT * FROM user WHERE uid = ?", uid)
        if row is None:
            return None
        groups = self._database.all("SELECT gid FROM membership WHERE uid = ?", uid)
        return User(row["uid"], row["name"], row["email"], frozenset(group["gid"] for group in groups))

    def provision(self, claims: Claims) -> User:
        """Return the user a token speaks for: made at first sight, refreshed at each.

        Raises
        ------
        Refused
            403: the name is another account's.
        """
        with self._provisioning:
            wanted = User(self._bound(claims), claims.name, claims.email, claims.groups)
            self._homes.provide(wanted.uid)
            if self.user(wanted.uid) != wanted:
                self._write(wanted)
        return wanted

    def group_exists(self, gid: str) -> bool:
        """Tell whether anyone is in the group."""
        return self._database.one("SELECT 1 FROM membership WHERE gid = ?", gid) is not None

    def search(self, text: str, limit: int) -> tuple[list[tuple[str, str]], list[str]]:
        """Return the users (id, name) and the groups whose id or name contains the text."""
        like = "%" + text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
        users = self._database.all(
            r"SELECT uid, name FROM user WHERE uid LIKE ?1 ESCAPE '\' OR name LIKE ?1 ESCAPE '\' "
            "ORDER BY uid LIMIT ?2",
            like,
            limit,
        )
        groups = self._database.all(
            r"SELECT DISTINCT gid FROM membership WHERE gid LIKE ? ESCAPE '\' ORDER BY gid LIMIT ?", like, limit
        )
        return [(row["uid"], row["name"]) for row in users], [row["gid"] for row in groups]

    def new_app_password(self, uid: str, label: str) -> str:
        """Make an app password; only its hash is kept."""
        password = random_text(APP_PASSWORD_LENGTH)
        self._database.execute(
            "INSERT INTO app_password VALUES (?, ?, ?, ?)", _hash(password), uid, label[:120], int(time.time())
        )
        return password

    def owner_of(self, app_password: str) -> User | None:
        """Return the user whose app password this is, or None."""
        digest = _hash(app_password)
        row = self._database.one("SELECT hash, uid FROM app_password WHERE hash = ?", digest)
        if row is None or not hmac.compare_digest(row["hash"], digest):
            return None
        return self.user(row["uid"])

    def revoke(self, app_password: str) -> None:
        """End an app password."""
        self._database.execute("DELETE FROM app_password WHERE hash = ?", _hash(app_password))

    def _bound(self, claims: Claims) -> str:
        """Return the user that an account is: a name can be given to another person one day, its files must not."""
        account = claims.issuer, claims.sub
        known = self._database.one("SELECT uid FROM identity WHERE issuer = ? AND sub = ?", *account)
        if known is not None:
            return str(known["uid"])
        if self._database.one("SELECT 1 FROM identity WHERE uid = ?", claims.uid):
            raise Refused(
                403,
                f'The storage of "{claims.uid}" belongs to another account of the IAM; '
                "sign in with that account, or ask the operator.",
            )
        self._database.execute("INSERT INTO identity VALUES (?, ?, ?)", claims.uid, *account)
        return claims.uid

    def _write(self, user: User) -> None:
        with self._database.transaction():
            self._database.execute("REPLACE INTO user VALUES (?, ?, ?)", user.uid, user.name, user.email)
            self._database.execute("DELETE FROM membership WHERE uid = ?", user.uid)
            for group in user.groups:
                self._database.execute("INSERT INTO membership VALUES (?, ?)", user.uid, group)


def revoke_named(database: Database, label: str) -> None:
    """End every user's app passwords of a name."""
    database.execute("DELETE FROM app_password WHERE label = ?", label)


def random_text(length: int) -> str:
    """Return random letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _hash(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
