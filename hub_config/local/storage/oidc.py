"""Signing people in at the IAM, as one of its clients: OpenID Connect's code flow with PKCE and nonce."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import httpx

from .errors import Refused
from .iam import AUDIENCE

if TYPE_CHECKING:
    from .config import Config
    from .iam import IAM, Claims

CALLBACK = "/apps/user_oidc/code"
_SCOPES = "openid profile email groups"


@dataclass(frozen=True)
class Errand:
    """What must come back from the IAM as it was sent there, and the secret that proves who sent it."""

    state: str = field(default_factory=secrets.token_urlsafe)
    nonce: str = field(default_factory=secrets.token_urlsafe)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))


class Client:
    """The storage as a client of the IAM."""

    def __init__(self, config: Config, iam: IAM) -> None:
        self._secret = config.client_secret
        self._callback = config.url + CALLBACK
        self._iam = iam

    @property
    def is_known(self) -> bool:
        """Whether this server has an account at an IAM."""
        return bool(self._secret)

    def address(self, errand: Errand) -> str:
        """Return where the browser goes to sign in.

        Raises
        ------
        Refused
            503: the IAM cannot be asked.
        """
        digest = hashlib.sha256(errand.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": AUDIENCE,
            "redirect_uri": self._callback,
            "scope": _SCOPES,
            "state": errand.state,
            "nonce": errand.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        endpoint = self._iam.endpoint("authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def claims(self, errand: Errand, code: str) -> Claims | None:
        """Return who came back from the IAM with a code, None if the IAM does not vouch for them.

        Raises
        ------
        Refused
            503: the IAM cannot be asked.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback,
            "code_verifier": errand.verifier,
        }
        login = quote(AUDIENCE, safe=""), quote(self._secret, safe="")
        try:
            with httpx.Client(trust_env=False, timeout=10) as client:
                answer = client.post(self._iam.endpoint("token_endpoint"), data=form, auth=login)
            if answer.status_code >= 500:
                raise Refused(503, "The IAM cannot sign you in just now; try again later.")
            token = answer.json().get("id_token")
        except httpx.HTTPError:
            raise Refused(503, "The IAM cannot be reached to sign you in; try again later.") from None
        except (ValueError, AttributeError):
            return None
        return self._iam.verify(token, nonce=errand.nonce) if isinstance(token, str) else None
