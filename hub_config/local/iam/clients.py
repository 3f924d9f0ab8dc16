"""What the pages need to know of the applications that sign people in here."""

from __future__ import annotations

from urllib.parse import urlsplit

from allauth.idp.oidc.models import Client


def origins() -> set[str]:
    """Return the origins that clients may send the browser back to."""
    return {
        _origin(uri)
        for client in Client.objects.all()
        for uri in client.get_redirect_uris() + client.get_post_logout_redirect_uris()
    }


def homes() -> list[dict[str, str]]:
    """Return name and start page of each trusted application that people go back to when they sign out."""
    return [
        {"name": client.name, "url": _origin(uri)}
        for client in Client.objects.filter(skip_consent=True).order_by("name")
        for uri in client.get_post_logout_redirect_uris()[:1]
    ]


def _origin(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"
