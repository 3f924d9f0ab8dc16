"""The pages of signing in and out, and the broker that lends a server an access token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jupyterhub.apihandlers import APIHandler
from jupyterhub.utils import new_token
from oauthenticator.oauth2 import OAuthCallbackHandler, OAuthLoginHandler, OAuthLogoutHandler, _deserialize_state
from tornado.web import HTTPError

from hub_config.audit import audit
from hub_config.signin.iam import ForgedError, IAMAwayError, IAMRefusalError
from hub_config.signin.state import read_sign_in

if TYPE_CHECKING:
    from hub_config.signin.authenticator import IAMAuthenticator

TOKEN_SCOPE = "custom:imagine:token"  # noqa: S105
"""What a hub token must be allowed, to be lent an access token of the IAM."""

SIGN_IN_AGAIN = "Your sign-in at the {iam} has ended: open {hub} in the browser and sign in again."


class LoginHandler(OAuthLoginHandler):  # type: ignore[misc]  # oauthenticator is untyped
    """Sends the browser to the IAM, unless all that it would find there is its own error page."""

    authenticator: IAMAuthenticator

    async def get(self) -> None:
        """Look whether the IAM answers, then redirect."""
        try:
            await self.authenticator.iam.require()
            self.authenticator.authorize_url = (await self.authenticator.iam.document())["authorization_endpoint"]
        except (IAMAwayError, IAMRefusalError, ForgedError) as error:
            self.log.warning("Nobody can sign in: %s", error)
            raise self.authenticator.iam_is_down() from None
        super().get()

    def authorize_redirect(self, *args: Any, extra_params: dict[str, Any], **kwargs: Any) -> None:
        """Ask that the id token repeats what only this browser's cookie is made of."""
        state = _deserialize_state(extra_params["state"])
        nonce = self.authenticator.nonce_of(state["state_id"])
        super().authorize_redirect(*args, extra_params=extra_params | {"nonce": nonce}, **kwargs)


class CallbackHandler(OAuthCallbackHandler):  # type: ignore[misc]
    """Signs the user in with what the browser brings from the IAM."""

    authenticator: IAMAuthenticator

    async def login_user(self, data: Any = None) -> Any:
        """Sign in, end the look at the sign-in before, and write it down."""
        user = await super().login_user(data)
        if user:
            self.authenticator.looks.end(user)
        audit("signed in" if user else "refused", user=user.name if user else "", by=self.request.remote_ip)
        return user


class LogoutHandler(OAuthLogoutHandler):  # type: ignore[misc]  # JupyterHub is untyped
    """Ends the session at the IAM too: the next one at this computer signs in anew."""

    authenticator: IAMAuthenticator

    async def default_handle_logout(self) -> None:
        """Keep what the IAM wants to see before the hub forgets the user."""
        user = self.current_user
        sign_in = read_sign_in(await user.get_auth_state()) if user else None
        self._id_token = sign_in.id_token if sign_in else ""
        await super().default_handle_logout()
        if user:
            user.orm_user.cookie_id = new_token()  # a copy of the cookie opens nothing any more, wherever it is
            self.db.commit()
            audit("signed out", user=user.name)

    async def render_logout_page(self) -> None:
        """Go on to the IAM, which sends the browser back."""
        try:
            address = (await self.authenticator.iam.document()).get("end_session_endpoint")
        except (IAMAwayError, ForgedError):
            address = None
        if not address:
            await super().render_logout_page()
            return
        parameters = {"client_id": self.authenticator.client_id}
        parameters["post_logout_redirect_uri"] = self.authenticator.after_logout_url
        if self._id_token:
            parameters["id_token_hint"] = self._id_token
        self.redirect(f"{address}?{urlencode(parameters)}")


class TokenHandler(APIHandler):  # type: ignore[misc]
    """Lends the owner of a hub token an access token of the IAM: a live one, and nothing else."""

    authenticator: IAMAuthenticator

    async def refresh_auth(self, user: Any, force: bool = False) -> Any:  # noqa: ARG002
        """Leave the look at the sign-in to :meth:`get`, which says what is wrong with it."""
        return user

    async def get(self) -> None:
        """Answer ``GET /hub/imagine/token?audience=…``."""
        user = self.current_user
        if (
            user is None
            or not getattr(self, "_token_authenticated", False)
            or TOKEN_SCOPE not in self.expanded_scopes
        ):
            raise HTTPError(403, "This hub token may not ask for access tokens of the IAM.")
        sign_in = await self.authenticator.live_token(user)
        if sign_in is None:
            raise HTTPError(
                401,
                SIGN_IN_AGAIN.format(iam=self.authenticator.login_service, hub=self.authenticator.after_logout_url),
            )
        answer = {"access_token": sign_in.access_token, "expires_at": sign_in.expires_at}
        if audience := self.get_query_argument("audience", ""):
            answer = await self._exchanged(sign_in.access_token, audience)
        self.set_header("Cache-Control", "no-store")
        self.finish(answer)

    async def _exchanged(self, token: str, audience: str) -> dict[str, Any]:
        try:
            other = await self.authenticator.iam.exchange(token, audience)
        except IAMRefusalError as error:
            raise HTTPError(400, f"The IAM gives no token for {audience!r}: {error}.") from None
        except IAMAwayError:
            raise self.authenticator.iam_is_down() from None
        return {"access_token": other["access_token"], "expires_at": other["expires_at"]}
