"""Bearer tokens of the IAM, checked as Nextcloud's ``user_oidc`` checks them.

Signature by the issuer's JWKS, ``exp`` with 60 s of leeway, ``iss``, and an ``aud`` that contains this server's
client id. The keys are found by discovery at first use, so that the storage may start before the IAM, and again when
a token names an unknown key, but not more often than every few seconds, and never by more than one request at a time
while the IAM does not answer: strangers can invent key names.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from typing import Any

import httpx
import jwt

from .errors import Refused

AUDIENCE = "imagine-storage"
LEEWAY = 60
RELOAD_PAUSE = 5.0
PATIENCE = 5.0
"""Seconds that a request waits for another that asks the IAM."""
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_UID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Claims:
    """Who a token speaks for; the account is ``issuer`` and ``sub``, ``uid`` is what it is called."""

    issuer: str
    sub: str
    uid: str
    name: str
    email: str | None
    groups: frozenset[str]


class IAM:
    """Verifies the bearer tokens of one issuer."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._discovery: dict[str, Any] = {}
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._asked = float("-inf")
        self._failed = False
        self._lock = threading.Lock()

    def endpoint(self, name: str) -> str:
        """Return the address of one of the IAM's endpoints.

        Raises
        ------
        Refused
            503: the IAM cannot be asked.
        """
        if not self._discovery:
            self._refresh()
        return str(self._discovery[name])

    def verify(self, token: str, nonce: str | None = None) -> Claims | None:
        """Return the token's claims, or None if it is no good; with a nonce it must carry just this one.

        Raises
        ------
        Refused
            503: the token's key is unknown and the IAM cannot be asked for it.
        """
        if not self._issuer:
            return None
        try:
            key = self._key(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                audience=AUDIENCE,
                issuer=[self._issuer, self._issuer + "/"],
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.PyJWTError:
            return None
        if nonce is not None and claims.get("nonce") != nonce:
            return None
        return _claims(claims, self._issuer.rstrip("/"))

    def _key(self, kid: str | None) -> jwt.PyJWK | None:
        if kid not in self._keys:
            self._refresh()
        return self._keys.get(kid)

    def _refresh(self) -> None:
        """Ask the IAM, unless it was just asked; while it does not answer, nobody waits behind the one who asks."""
        if not self._lock.acquire(timeout=0 if self._failed else PATIENCE):
            raise _silent()
        try:
            if time.monotonic() - self._asked > RELOAD_PAUSE:
                self._load()
        finally:
            self._lock.release()
        if self._failed:
            raise _silent()

    def _load(self) -> None:
        base = self._issuer.rstrip("/")
        try:
            with httpx.Client(trust_env=False, timeout=10) as client:
                discovery = client.get(f"{base}/.well-known/openid-configuration").raise_for_status().json()
                keys = client.get(discovery["jwks_uri"]).raise_for_status().json()
            self._discovery = discovery
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(keys).keys}
            self._failed = False
        except (httpx.HTTPError, ValueError, KeyError, jwt.PyJWTError):
            self._failed = True
        self._asked = time.monotonic()


def _silent() -> Refused:
    return Refused(503, "The IAM cannot be reached to check the token; try again later.")


def _claims(claims: dict[str, Any], issuer: str) -> Claims | None:
    uid, sub = claims.get("preferred_username"), claims.get("sub")
    if not isinstance(uid, str) or not _UID.fullmatch(uid) or not isinstance(sub, str) or not sub:
        return None
    groups = claims.get("groups")
    return Claims(
        issuer=issuer,
        sub=sub,
        uid=uid,
        name=str(claims.get("name") or uid),
        email=claims.get("email"),
        groups=frozenset(str(group) for group in groups) if isinstance(groups, list) else frozenset(),
    )
