"""Who sends the request: the credentials that WebDAV and OCS accept, read from one header."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .accounts import APP_PASSWORD_LENGTH
from .errors import NotSignedIn

if TYPE_CHECKING:
    from .accounts import Accounts, User
    from .guard import Guard
    from .http import Request
    from .iam import IAM

_NO_HEADER = (
    "No 'Authorization: Basic' header found. Either the client didn't send one, or the server is misconfigured"
)
_APP_PASSWORD = re.compile(rf"[A-Za-z0-9]{{{APP_PASSWORD_LENGTH}}}")


@dataclass(frozen=True)
class Visitor:
    """A signed-in user, and the app password they came in with (None: a token of the IAM)."""

    user: User
    app_password: str | None


class SignIn:
    """Turns an ``Authorization`` header into a visitor."""

    def __init__(self, accounts: Accounts, iam: IAM, guard: Guard) -> None:
        self._accounts = accounts
        self._iam = iam
        self._guard = guard

    def visitor(self, request: Request) -> Visitor | None:
        """Return the visitor, or None if no credentials were sent.

        Raises
        ------
        Refused
            401: the credentials are wrong; 429: too many were; 503: the IAM cannot be asked.
        """
        scheme, _, value = (request.header("Authorization") or "").partition(" ")
        if not value:
            return None
        self._guard.admit(request.address)
        if scheme.lower() == "bearer":
            visitor, reason = self._bearer(value.strip()), "Bearer token was incorrect"
        elif scheme.lower() == "basic" and any(basic(value)):
            visitor, reason = self._basic(value), "Username or password was incorrect"
        else:
            visitor, reason = None, _NO_HEADER
        if visitor is None:
            self._guard.failed(request.address)
            raise NotSignedIn(reason, tried=True)
        request.user = visitor.user.uid
        return visitor

    def required(self, request: Request) -> Visitor:
        """Return the visitor; refuse a request without credentials."""
        visitor = self.visitor(request)
        if visitor is None:
            raise NotSignedIn("No 'Authorization' header was sent", tried=False)
        return visitor

    def _bearer(self, token: str) -> Visitor | None:
        if _APP_PASSWORD.fullmatch(token):
            user = self._accounts.owner_of(token)
            return Visitor(user, token) if user else None
        claims = self._iam.verify(token)
        return Visitor(self._accounts.provision(claims), None) if claims else None

    def _basic(self, value: str) -> Visitor | None:
        login, password = basic(value)
        user = self._accounts.owner_of(password)
        if user is None or not hmac.compare_digest(user.uid.encode(), login.lower().encode()):
            return None
        return Visitor(user, password)


def basic(value: str) -> tuple[str, str]:
    """Decode the value of Basic credentials; what cannot be decoded is an empty login."""
    try:
        login, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    return login, password
