"""The IAM's addresses: allauth's views that we want, and no others (no email, no devices)."""

from __future__ import annotations

from allauth.account import views as account_views
from allauth.idp.oidc import views as oidc_views
from django.urls import include, path

from . import views

_provider = [
    path(".well-known/openid-configuration", oidc_views.configuration, name="configuration"),
    path(".well-known/jwks.json", oidc_views.jwks, name="jwks"),
    path("oauth/authorize", views.Authorization.as_view(), name="authorization"),
    path("oauth/token", oidc_views.token, name="token"),
    path("oauth/revoke", oidc_views.revoke, name="revoke"),
    path("oauth/userinfo", oidc_views.user_info, name="userinfo"),
    path("oauth/logout", oidc_views.logout, name="logout"),
    # Not offered and not published, but discovery looks the name up.
    path("oauth/device", views.not_found, name="device_code"),
]

urlpatterns = [
    path("", views.account, name="account"),
    path("approvals", views.approvals, name="approvals"),
    path("signed-out", views.signed_out, name="signed_out"),
    path("healthz", views.healthz),
    path("sign-in", account_views.login, name="account_login"),
    path("sign-up", account_views.signup, name="account_signup"),
    path("sign-out", account_views.logout, name="account_logout"),
    path("waiting", account_views.account_inactive, name="account_inactive"),
    path("password", account_views.password_change, name="account_change_password"),
    path("confirm", account_views.reauthenticate, name="account_reauthenticate"),
    path("", include(([path("", include((_provider, "oidc")))], "idp"))),
]

handler400 = views.bad_request
handler403 = views.forbidden
handler404 = views.not_found
handler500 = views.failed
