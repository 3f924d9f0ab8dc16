"""What the hub keeps of a sign-in, encrypted, and never shows: tokens, claims, and since when it knows them."""

from __future__ import annotations

import time
from enum import Enum
from typing import Any

from pydantic import BaseModel, ConfigDict

SPARE = 60
"""Seconds that an access token must be good for still: who gets it wants to use it."""


class Standing(Enum):
    """What the hub knows of a user's rights."""

    ALLOWED = "allowed"
    REVOKED = "revoked"
    """The IAM says no, and means it."""
    SIGN_IN_AGAIN = "sign in again"
    """The tokens have ended, which says nothing about the rights."""
    UNKNOWN = "unknown"
    """The IAM has not answered for longer than is put up with."""


class SignIn(BaseModel):
    """One user's sign-in."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    issuer: str
    sub: str
    access_token: str
    expires_at: float
    """Seconds since 1970, by this machine's clock."""
    refresh_token: str = ""
    id_token: str = ""
    scope: str = ""
    claims: dict[str, Any] = {}
    checked_at: float
    """When the IAM last said what the user's rights are."""
    ended_at: float | None = None
    """Since when the IAM takes the tokens no more, so that the user must sign in again."""

    @property
    def is_live(self) -> bool:
        """Whether the access token can be given away."""
        return self.ended_at is None and self.expires_at - time.time() > SPARE

    def renewed(self, tokens: dict[str, Any]) -> SignIn:
        """Return this with what the token endpoint said; what it left out stays."""
        told = {
            key: tokens[key] for key in ("access_token", "expires_at", "refresh_token", "id_token") if tokens.get(key)
        }
        return self.model_copy(update=told | {"ended_at": None})


def read_sign_in(auth_state: dict[str, Any] | None) -> SignIn | None:
    """Return what the hub kept; None where there is nothing, or nothing that can be used."""
    try:
        return SignIn.model_validate(auth_state) if auth_state else None
    except ValueError:
        return None
