"""The authenticator: who signs in, with what rights, and whether that is still so."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterhub import roles
from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.oauth2 import _deserialize_state
from tornado.web import HTTPError
from traitlets import Float, Unicode

from hub_config.audit import audit
from hub_config.signin.claims import normalise_groups
from hub_config.signin.handlers import CallbackHandler, LoginHandler, LogoutHandler, TokenHandler
from hub_config.signin.iam import IAM, Client, ForgedError, IAMAwayError, IAMRefusalError
from hub_config.signin.identities import Identities, NameTakenError
from hub_config.signin.looks import Looks
from hub_config.signin.operations import OperateHandler
from hub_config.signin.reconciler import Reconciler
from hub_config.signin.state import SignIn, Standing, read_sign_in

if TYPE_CHECKING:
    from collections.abc import Mapping

IAM_IS_DOWN = (
    "The {iam} does not answer, so nobody can sign in at the moment. "
    "Try again in a minute; if it lasts, tell the people who run this workspace."
)

NOT_IN_A_GROUP = (
    "You are signed in, but your account is in none of the groups that may use this workspace. "
    "Ask the people who run it to add you, then sign in again."
)

NAME_IS_TAKEN = (
    "The name {name} belongs to another account in this workspace. "
    "Ask the people who run it: they can tell which of the two is yours."
)

BLOCKED = "The people who run this workspace have ended your access. Ask them if you think that this is a mistake."

FORGED = "The answer from the {iam} could not be trusted, so nobody was signed in. Start again from the first page."


class IAMAuthenticator(GenericOAuthenticator):  # type: ignore[misc]  # oauthenticator is untyped
    """Signs users in at the IAM, takes their groups from its claims, and looks again."""

    issuer = Unicode(config=True, help="The IAM's OIDC issuer.")
    state_folder = Unicode(config=True, help="Where the IAM's last discovery document is kept.")
    after_logout_url = Unicode(config=True, help="Where the IAM sends the browser after a logout.")
    grace = Float(config=True, help="Seconds for which rights are believed while the IAM does not answer.")
    patience = Float(config=True, help="Seconds that a page waits for the IAM before it goes on with what is known.")
    timeout = Float(config=True, help="Seconds that the IAM may take for an answer.")
    reconcile_interval = Float(config=True, help="Seconds within which everyone with something live is looked at.")
    work_goes_on = Float(config=True, help="Seconds that servers outlive a sign-in whose tokens have ended.")
    login_handler = LoginHandler
    callback_handler = CallbackHandler
    logout_handler = LogoutHandler

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        client = Client(self.client_id, self.client_secret)
        self.iam = IAM(self.issuer, client, Path(self.state_folder) / "discovery.json", self.timeout)
        self.looks = Looks(self._look_again)

    def get_handlers(self, app: Any) -> list[Any]:
        """Take the hub's database, begin to look after rights, and return the pages of signing in."""
        self.identities = Identities(app.db)
        self.reconciler = Reconciler(app, self)
        self._rounds = asyncio.create_task(self.reconciler.run())
        return [*super().get_handlers(app), (r"/imagine/token", TokenHandler), (r"/imagine/operate", OperateHandler)]

    # ------------------------------------------------------------------------------------------------ signing in

    async def authenticate(self, handler: Any, data: Any = None, **kwargs: Any) -> dict[str, Any]:  # noqa: ARG002
        """Turn the code that the browser brings into a user.

        Raises
        ------
        HTTPError
            503 where the IAM does not answer; 403 where it says no, or the name is another's.
        """
        cookie = _deserialize_state(handler.get_state_cookie())
        try:
            tokens = await self.iam.ask_for_tokens(
                {
                    "grant_type": "authorization_code",
                    "code": handler.get_argument("code"),
                    "redirect_uri": self.get_callback_url(handler),
                    "code_verifier": cookie["code_verifier"],
                }
            )
            said = await self.iam.check(str(tokens.get("id_token") or ""), self.nonce_of(cookie["state_id"]))
            claims = await self._claims(tokens["access_token"], said)
        except IAMAwayError as error:
            self.log.warning("The IAM failed during a sign-in: %s", error)
            raise self.iam_is_down() from None
        except (ForgedError, IAMRefusalError) as error:
            self.log.warning("A sign-in was refused: %s", error)
            raise HTTPError(403, FORGED.format(iam=self.login_service)) from None
        sign_in = SignIn(
            issuer=self.iam.issuer,
            sub=claims["sub"],
            scope=tokens.get("scope") or " ".join(self.scope),
            claims=claims,
            checked_at=time.time(),
            **{key: tokens.get(key) or "" for key in ("access_token", "expires_at", "refresh_token", "id_token")},
        )
        return self._model(self._name(claims), sign_in)

    def _name(self, claims: Mapping[str, Any]) -> str:
        called = self.normalize_username(str(self.user_info_to_username(claims)))
        try:
            name = self.identities.bind(called, self.iam.issuer, str(claims["sub"]))
        except NameTakenError:
            audit("refused", user=called, why="the name belongs to another account")
            raise HTTPError(403, NAME_IS_TAKEN.format(name=called)) from None
        if self.identities.is_blocked(name):
            audit("refused", user=name, why="offboarded")
            raise HTTPError(403, BLOCKED)
        return name

    def _model(self, name: str, sign_in: SignIn) -> dict[str, Any]:
        groups = normalise_groups(sign_in.claims)
        admin = name in self.admin_users or bool(self.admin_groups & set(groups))
        return {"name": name, "admin": admin, "groups": groups, "auth_state": sign_in.model_dump()}

    async def _claims(self, access_token: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """Return the id token's claims and those of the userinfo endpoint, which knows today's groups."""
        told = await self.iam.ask_who(access_token)
        if told.get("sub") != said["sub"]:
            raise ForgedError("The userinfo endpoint speaks of another account than the id token.")
        return {**said, **told}

    # ---------------------------------------------------------------------------------------------- looking again

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> bool:  # noqa: ARG002
        """Return whether a user's rights still hold, as far as can be known in a moment."""
        return await self.standing(user) is Standing.ALLOWED

    async def standing(self, user: Any) -> Standing:
        """Look again, but wait for a slow IAM no longer than a person would: then what was known holds.

        Parameters
        ----------
        user
            The hub's.

        Returns
        -------
        Standing
        """
        return await self.looks.outcome(user, self.patience) or await self._by_grace(user, "The IAM is slow")

    async def live_token(self, user: Any) -> SignIn | None:
        """Return a user's sign-in with an access token that lasts a minute at least; None where there is none."""
        sign_in = read_sign_in(await user.get_auth_state())
        if sign_in is None or sign_in.is_live:
            return sign_in
        await self.looks.outcome(user)
        sign_in = read_sign_in(await user.get_auth_state())
        return sign_in if sign_in and sign_in.is_live else None

    async def _look_again(self, user: Any) -> Standing:
        if self.identities.is_blocked(user.name):
            return Standing.REVOKED
        sign_in = read_sign_in(await user.get_auth_state())
        if sign_in is None:
            return Standing.SIGN_IN_AGAIN
        try:
            sign_in = await self._checked(user, sign_in)
        except IAMAwayError as error:
            return await self._by_grace(user, error)
        except (IAMRefusalError, ForgedError) as error:
            self.log.info("%s must sign in again: %s", user.name, error)
            if stored := read_sign_in(await user.get_auth_state()):  # may have been renewed before the no
                ended = stored.model_copy(update={"ended_at": sign_in.ended_at or time.time()})
                await user.save_auth_state(ended.model_dump())
            return Standing.SIGN_IN_AGAIN
        model = self._model(user.name, sign_in)
        await user.save_auth_state(sign_in.model_dump())
        allowed = await self.check_allowed(user.name, model)
        self._apply(user, model if allowed else model | {"admin": False})
        return Standing.ALLOWED if allowed else Standing.REVOKED

    async def _checked(self, user: Any, sign_in: SignIn) -> SignIn:
        """Ask the IAM who the user is today, with a fresh token where the one at hand is not taken any more."""
        if sign_in.is_live:
            try:
                return await self._told(sign_in)
            except IAMRefusalError as error:
                if error.status != 401:  # RFC 6750: the token has ended
                    raise
        return await self._told(await self._renew(user, sign_in))

    async def _told(self, sign_in: SignIn) -> SignIn:
        claims = await self._claims(sign_in.access_token, {**sign_in.claims, "sub": sign_in.sub})
        return sign_in.model_copy(update={"claims": claims, "checked_at": time.time(), "ended_at": None})

    async def _renew(self, user: Any, sign_in: SignIn) -> SignIn:
        if not sign_in.refresh_token:
            raise IAMRefusalError(401, "no_refresh_token", "the IAM gave none")
        wish = {"grant_type": "refresh_token", "refresh_token": sign_in.refresh_token, "scope": sign_in.scope}
        tokens = await self.iam.ask_for_tokens(wish)
        if tokens.get("id_token"):
            said = await self.iam.check(tokens["id_token"], nonce=None)
            if said["sub"] != sign_in.sub:
                raise ForgedError("The renewed id token speaks of another account.")
        renewed = sign_in.renewed(tokens)
        await user.save_auth_state(renewed.model_dump())  # at once: the old refresh token is worthless now
        return renewed

    async def _by_grace(self, user: Any, why: object) -> Standing:
        self.log.warning("%s; %s keeps what was known", why, user.name)
        sign_in = read_sign_in(await user.get_auth_state())
        if sign_in is None or sign_in.ended_at is not None:
            return Standing.SIGN_IN_AGAIN
        return Standing.ALLOWED if time.time() - sign_in.checked_at <= self.grace else Standing.UNKNOWN

    async def forget(self, user: Any) -> None:
        """Make a user's sign-in worthless, here and at the IAM."""
        sign_in = read_sign_in(await user.get_auth_state())
        await user.save_auth_state(None)
        self.looks.end(user)
        if sign_in and sign_in.refresh_token:
            try:
                await self.iam.revoke(sign_in.refresh_token)
            except (IAMAwayError, IAMRefusalError) as error:
                self.log.warning("The refresh token of %s could not be revoked: %s", user.name, error)

    def _apply(self, user: Any, model: Mapping[str, Any]) -> None:
        user.admin = model["admin"]
        roles.assign_default_roles(user.db, entity=user.orm_user)
        user.sync_groups(model["groups"])
        user.db.commit()

    @staticmethod
    def nonce_of(state_id: str) -> str:
        """Return what an id token must repeat: only the browser that began has the cookie that it is made of."""
        return hashlib.sha256(state_id.encode()).hexdigest()

    def iam_is_down(self) -> HTTPError:
        """Return what the user reads while the IAM does not answer."""
        return HTTPError(503, IAM_IS_DOWN.format(iam=self.login_service))
