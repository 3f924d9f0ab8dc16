"""The IAM as the hub speaks to it: discovery, tokens, claims. Says whether it refuses or only does not answer."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import httpx
import jwt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LEEWAY = 60
"""Seconds by which the clocks of IAM and hub may differ."""

FRESH_SECONDS = 3600
"""How long a discovery document and its keys are believed without asking again."""

KEYS_ASKED_AGAIN_AFTER = 30
"""Seconds between two looks for a key that is not known: a forged token must not make the hub ask and ask."""

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
"""RFC 8693."""

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"]
"""Signed with the IAM's own key: neither ``none`` nor a secret that the hub shares with it."""


class IAMAwayError(Exception):
    """The IAM does not answer, or says that it cannot now: nothing follows for anybody's rights."""


class IAMRefusalError(Exception):
    """The IAM answered, and said no."""

    def __init__(self, status: int, error: str, description: str = "") -> None:
        super().__init__(f"{error} ({description or status})")
        self.status, self.error = status, error


class ForgedError(Exception):
    """What came back is not from the IAM, or not meant for this sign-in."""


@dataclass(frozen=True)
class Client:
    """What the hub is to the IAM."""

    id: str
    secret: str = field(repr=False)


class IAM:
    """One IAM, asked without blocking anybody.

    Parameters
    ----------
    issuer
        Its OIDC issuer.
    client
        As what the hub is registered there.
    kept
        File with its last discovery document, which serves while it does not answer.
    timeout
        Seconds that an answer may take.
    """

    def __init__(self, issuer: str, client: Client, kept: Path, timeout: float) -> None:
        self.issuer = issuer.rstrip("/")
        self._client, self._kept = client, kept
        self._secret = (quote_plus(client.id), quote_plus(client.secret))  # RFC 6749, section 2.3.1
        self._http = httpx.AsyncClient(timeout=timeout, trust_env=False)
        self._document: dict[str, Any] = {}
        self._asked = -float("inf")
        self._keys: dict[str, jwt.PyJWK] = {}
        self._keys_asked = -float("inf")
        self._asking = asyncio.Lock()

    async def document(self) -> dict[str, Any]:
        """Return the discovery document, from memory while it is fresh.

        Raises
        ------
        IAMAwayError
            The IAM does not answer and never did.
        ForgedError
            The address answers for another issuer.
        """
        async with self._asking:
            if time.monotonic() - self._asked > FRESH_SECONDS:
                await self._discover()
        return self._document

    async def require(self) -> None:
        """Raise :class:`IAMAwayError` where the IAM does not answer at this moment."""
        await self._ask("GET", self.discovery_url)

    @property
    def discovery_url(self) -> str:
        """Where the issuer says what it offers."""
        return f"{self.issuer}/.well-known/openid-configuration"

    async def _discover(self) -> None:
        try:
            document = await self._ask("GET", self.discovery_url)
        except (IAMAwayError, IAMRefusalError):
            self._document = self._document or self._last_answer()
            if not self._document:
                raise IAMAwayError(f"The IAM at {self.issuer} does not answer, and never has.") from None
            return
        if str(document.get("issuer", "")).rstrip("/") != self.issuer:
            raise ForgedError(
                f"The IAM at {self.issuer} calls itself {document.get('issuer')}: set iam.issuer to that."
            )
        self._document, self._asked = document, time.monotonic()
        new = self._kept.with_suffix(".new")
        new.write_text(json.dumps(document), encoding="utf-8")
        new.replace(self._kept)

    def _last_answer(self) -> dict[str, Any]:
        try:
            document: dict[str, Any] = json.loads(self._kept.read_text(encoding="utf-8"))
            return document if str(document["issuer"]).rstrip("/") == self.issuer else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    async def ask_for_tokens(self, wish: Mapping[str, str]) -> dict[str, Any]:
        """Ask the token endpoint.

        Parameters
        ----------
        wish
            ``grant_type`` and what belongs to it.

        Returns
        -------
        dict
            ``access_token``, ``expires_at`` (seconds since 1970, by this machine's clock), and what else came.

        Raises
        ------
        IAMAwayError, IAMRefusalError
            It does not answer, or says no.
        """
        endpoint = (await self.document())["token_endpoint"]
        asked = time.time()
        tokens = await self._ask("POST", endpoint, data=dict(wish), auth=self._secret)
        if not isinstance(tokens.get("access_token"), str):
            raise IAMAwayError(f"{endpoint} answered without an access token")
        return tokens | {"expires_at": asked + float(tokens.get("expires_in") or 0)}

    async def ask_who(self, access_token: str) -> dict[str, Any]:
        """Return what the userinfo endpoint says of the owner of a token."""
        endpoint = (await self.document())["userinfo_endpoint"]
        return await self._ask("GET", endpoint, headers={"Authorization": f"Bearer {access_token}"})

    async def revoke(self, token: str) -> None:
        """Make a refresh token worthless (RFC 7009), where the IAM can."""
        endpoint = (await self.document()).get("revocation_endpoint")
        if endpoint:
            await self._ask(
                "POST", endpoint, data={"token": token, "token_type_hint": "refresh_token"}, auth=self._secret
            )

    async def exchange(self, access_token: str, audience: str) -> dict[str, Any]:
        """Return a token for another service (RFC 8693).

        Raises
        ------
        IAMAwayError, IAMRefusalError
            It does not answer, or does not exchange tokens for this audience.
        """
        if EXCHANGE not in (await self.document()).get("grant_types_supported", []):
            raise IAMRefusalError(400, "unsupported_grant_type", "this IAM exchanges no tokens")
        kind = "urn:ietf:params:oauth:token-type:access_token"
        wish = {"grant_type": EXCHANGE, "subject_token": access_token, "subject_token_type": kind}
        return await self.ask_for_tokens(wish | {"audience": audience, "requested_token_type": kind})

    async def check(self, id_token: str, nonce: str | None) -> dict[str, Any]:
        """Return the claims of an id token (OpenID Connect Core 1.0, section 3.1.3.7).

        Parameters
        ----------
        id_token
            As it came from the token endpoint.
        nonce
            What it must repeat; None for one that came with a refresh.

        Raises
        ------
        ForgedError
            It is not signed by the IAM, for another client, too old, or of another sign-in.
        IAMAwayError
            The keys cannot be had.
        """
        try:
            key = await self._key(str(jwt.get_unverified_header(id_token).get("kid") or ""))
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key,
                algorithms=ALGORITHMS,
                audience=self._client.id,
                leeway=LEEWAY,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except jwt.PyJWTError as error:
            raise ForgedError(f"The IAM's id token cannot be trusted: {error}.") from None
        if str(claims["iss"]).rstrip("/") != self.issuer:
            raise ForgedError(f"The id token is by {claims['iss']}, not by {self.issuer}.")
        if claims.get("azp", self._client.id) != self._client.id:
            raise ForgedError("The id token was made for another application.")
        if nonce is not None and claims.get("nonce") != nonce:
            raise ForgedError("The id token belongs to another sign-in.")
        return claims

    async def _key(self, kid: str) -> jwt.PyJWK:
        async with self._asking:
            waited = time.monotonic() - self._keys_asked
            if waited > FRESH_SECONDS or (kid not in self._keys and waited > KEYS_ASKED_AGAIN_AFTER):
                if time.monotonic() - self._asked > FRESH_SECONDS:
                    await self._discover()
                answer = await self._ask("GET", self._document["jwks_uri"])
                self._keys = {key.key_id or "": key for key in jwt.PyJWKSet.from_dict(answer).keys}
                self._keys_asked = time.monotonic()
        if kid in self._keys:
            return self._keys[kid]
        if not kid and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        raise ForgedError(f"The id token is signed with a key {kid!r} that the IAM does not publish.")

    async def _ask(self, method: str, url: str, **what: Any) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, url, **what)
        except httpx.HTTPError as error:
            raise IAMAwayError(f"{url} does not answer ({type(error).__name__})") from None
        if answer.status_code >= 500 or answer.status_code in (408, 429):
            raise IAMAwayError(f"{url} answered {answer.status_code}")
        if answer.is_redirect:
            raise IAMAwayError(f"{url} is elsewhere now ({answer.status_code})")
        try:
            said = answer.json() if answer.content else {}
        except ValueError:
            said = None
        if answer.status_code >= 400:
            facts = said if isinstance(said, dict) else {}
            raise IAMRefusalError(
                answer.status_code, str(facts.get("error", "refused")), str(facts.get("error_description", ""))
            )
        if not isinstance(said, dict):
            raise IAMAwayError(f"{url} answered with something that is no JSON object")
        return said
