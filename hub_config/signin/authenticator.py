"""The authenticator: OpenID Connect with PKCE, the IAM's groups become the hub's."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.oauth2 import OAuthCallbackHandler, OAuthLoginHandler, OAuthLogoutHandler
from tornado.httpclient import HTTPClientError
from tornado.web import HTTPError
from traitlets import Unicode

from hub_config.signin.claims import normalise_groups

if TYPE_CHECKING:
    from pathlib import Path

DISCOVERY_SECONDS = 45
"""How long the hub waits for the IAM when both start together."""

ANSWER_SECONDS = 5
"""How long the IAM may take to say that it is there."""

IAM_IS_DOWN = (
    "The {iam} does not answer, so nobody can sign in at the moment. "
    "Try again in a minute; if it lasts, tell the people who run this workspace."
)

NOT_IN_A_GROUP = (
    "You are signed in, but your account is in none of the groups that may use this workspace. "
    "Ask the people who run it to add you, then sign in again."
)


class DiscoveryError(Exception):
    """The IAM does not say where its endpoints are."""


@dataclass(frozen=True)
class Endpoints:
    """Where an IAM answers, as its discovery document says."""

    authorize: str
    token: str
    userinfo: str
    end_session: str


def discover(issuer: str, kept: Path) -> Endpoints:
    """Ask an IAM for its endpoints.

    Parameters
    ----------
    issuer
        Its OIDC issuer.
    kept
        File with its last answer, which serves while it does not answer: a hub that restarts must not wait for it.

    Returns
    -------
    Endpoints

    Raises
    ------
    DiscoveryError
        It does not answer and never did, or its answer is no discovery document of this issuer.
    """
    url = discovery_url(issuer)
    deadline = time.monotonic() + DISCOVERY_SECONDS
    while True:
        try:
            document = httpx.get(url, timeout=10, trust_env=False).raise_for_status().json()
            endpoints = _endpoints(document, issuer)
        except (httpx.HTTPError, ValueError, KeyError) as error:
            if last := _last_answer(kept, issuer):
                return last
            if time.monotonic() > deadline:
                raise DiscoveryError(f"The IAM at {issuer} does not answer ({error}).") from None
        else:
            kept.write_text(json.dumps(document))
            return endpoints
        time.sleep(0.2)


def discovery_url(issuer: str) -> str:
    """Return where an issuer says what it offers."""
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def _last_answer(kept: Path, issuer: str) -> Endpoints | None:
    try:
        return _endpoints(json.loads(kept.read_text()), issuer)
    except (OSError, ValueError, KeyError, DiscoveryError):
        return None


def _endpoints(document: dict[str, Any], issuer: str) -> Endpoints:
    if document["issuer"].rstrip("/") != issuer.rstrip("/"):
        raise DiscoveryError(f"The IAM at {issuer} calls itself {document['issuer']}: set iam.issuer to that.")
    return Endpoints(
        document["authorization_endpoint"],
        document["token_endpoint"],
        document["userinfo_endpoint"],
        document.get("end_session_endpoint", ""),
    )


class LoginHandler(OAuthLoginHandler):  # type: ignore[misc]  # oauthenticator is untyped
    """Sends the browser to the IAM, unless all that it would find there is its own error page."""

    async def get(self) -> None:
        """Look whether the IAM answers, then redirect."""
        await self.authenticator.require_iam()
        super().get()


class CallbackHandler(OAuthCallbackHandler):  # type: ignore[misc]
    """Signs the user in with what the browser brings from the IAM."""

    async def get(self) -> None:
        """Sign in; an IAM that went away meanwhile is said."""
        try:
            await super().get()
        except (HTTPClientError, OSError):
            self.log.exception("The IAM failed during a sign-in")
            raise self.authenticator.iam_is_down() from None


class LogoutHandler(OAuthLogoutHandler):  # type: ignore[misc]  # JupyterHub is untyped
    """Ends the session at the IAM too: the next one at this computer signs in anew."""

    async def default_handle_logout(self) -> None:
        """Keep what the IAM wants to see before the hub forgets the user."""
        user = self.current_user
        state = await user.get_auth_state() if user else None
        self._id_token = (state or {}).get("id_token") or ""
        await super().default_handle_logout()

    async def render_logout_page(self) -> None:
        """Go on to the IAM, which sends the browser back."""
        address = self.authenticator.end_session_url
        if not address:
            await super().render_logout_page()
            return
        parameters = {"client_id": self.authenticator.client_id}
        parameters["post_logout_redirect_uri"] = self.authenticator.after_logout_url
        if self._id_token:
            parameters["id_token_hint"] = self._id_token
        self.redirect(f"{address}?{urlencode(parameters)}")


class IAMAuthenticator(GenericOAuthenticator):  # type: ignore[misc]  # oauthenticator is untyped
    """Signs users in at the IAM and takes their groups from its claims."""

    end_session_url = Unicode(config=True, help="Where the IAM ends a session (RP-initiated logout).")
    after_logout_url = Unicode(config=True, help="Where the IAM sends the browser afterwards.")
    discovery_url = Unicode(config=True, help="Answers where the IAM is well.")
    login_handler = LoginHandler
    callback_handler = CallbackHandler
    logout_handler = LogoutHandler

    async def get_user_groups(self, auth_state: dict[str, Any]) -> set[str]:
        """Return the groups that the IAM's claims name."""
        return set(normalise_groups(auth_state[self.user_auth_state_key]))

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> Any:
        """Renew what is known of a user; while the IAM is away, what was known stays."""
        try:
            return await super().refresh_user(user, handler, **kwargs)
        except (HTTPClientError, OSError) as error:
            self.log.warning("The IAM does not answer (%s); %s stays signed in as before", error, user.name)
            return True

    async def require_iam(self) -> None:
        """Raise what the user reads where the IAM does not answer."""
        try:
            async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
                (await client.get(self.discovery_url)).raise_for_status()
        except httpx.HTTPError:
            raise self.iam_is_down() from None

    def iam_is_down(self) -> HTTPError:
        """Return what the user reads while the IAM does not answer."""
        return HTTPError(503, IAM_IS_DOWN.format(iam=self.login_service))
