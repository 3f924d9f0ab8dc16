"""What allauth asks us: who may sign in, and what tokens say about them."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from django.conf import settings
from django.urls import reverse

from .dresses import DRESSES
from .models import User

SCOPES = {
    "openid": "Know who you are",
    "profile": "See your name and your groups",
    "email": "See your email address",
    "groups": "See your groups",
    "offline_access": "Keep you signed in for 30 days",
}


class AccountAdapter(DefaultAccountAdapter):
    """New accounts wait for approval; messages are our own sentences."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": "The username or the password is wrong. Check both and try again.",
        "too_many_login_attempts": "Too many failed sign-ins. Wait five minutes, then try again.",
        "username_taken": "This username is taken. Choose another one.",
        "email_taken": "There is already an account with this email address. Sign in with it instead.",
        "enter_current_password": "This is not your current password.",
        "incorrect_password": "This is not your password. Try again.",
    }

    def save_user(self, request: Any, user: User, form: Any, commit: bool = True) -> User:
        """Keep the account out until it is approved."""
        user.name = form.cleaned_data["name"]
        user.is_active = False
        return super().save_user(request, user, form, commit)

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Leave out allauth's remarks ("Successfully signed in as …"): the page that follows shows it."""

    def get_password_change_redirect_url(self, _request: Any) -> str:
        """Return to the account after a change of password."""
        return reverse("account")


class OIDCAdapter(DefaultOIDCAdapter):
    """One set of claims, the same in the ID token, at the userinfo endpoint and in the access token."""

    scope_display = SCOPES

    def get_issuer(self) -> str:
        """Return the configured address: one made from the request's host would change with it."""
        return settings.ISSUER

    def get_user_sub(self, _client: Any, user: User) -> str:
        """Return the account's opaque identifier."""
        return str(user.sub)

    def get_user_by_sub(self, _client: Any, sub: str) -> User | None:
        """Return the approved account with this identifier, if there is one."""
        return User.objects.filter(sub=sub, is_active=True).first()

    def get_claims(
        self, purpose: str, user: User, client: Any, scopes: Any, email: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Add the groups, sorted, as the IAM writes them that this one is dressed as."""
        claims = super().get_claims(purpose, user, client, scopes, email=email, **kwargs)
        if {"profile", "groups"} & set(scopes):
            claims |= DRESSES[settings.DRESS](sorted(user.groups.values_list("name", flat=True)))
        return claims

    def populate_access_token(
        self, access_token: dict[str, Any], *, client: Any, scopes: Any, user: User, **_kwargs: Any
    ) -> None:
        """Say who the token is for, and who it is about."""
        access_token["aud"] = [client.id, settings.STORAGE_AUDIENCE]
        access_token.update(self.get_claims("userinfo", user, client, scopes))

    def populate_server_metadata(self, data: dict[str, Any]) -> None:
        """Publish what this server does: endpoints at the issuer's address, no unused grants."""
        data.pop("device_authorization_endpoint")
        for key, value in data.items():
            if key.endswith(("_endpoint", "_uri")):
                data[key] = settings.ISSUER + "/" + value.split("/", 3)[3]
        data["scopes_supported"] = list(SCOPES)
        data["grant_types_supported"] = ["authorization_code", "refresh_token"]
        data["response_types_supported"] = ["code"]
        data["claims_supported"] = ["sub", "preferred_username", "name", "email", "email_verified", "groups"]
