"""The user's access token of the IAM, for services that want one."""

from __future__ import annotations

import os
import threading
import time

import httpx

from imagine_lib.errors import PlatformError

SPARE = 60
"""Seconds before its end from which on a token is no longer handed out again."""

_lock = threading.Lock()
_borrowed: dict[str | None, tuple[str, float]] = {}


def iam_token(audience: str | None = None) -> str:
    """Return a live access token of the user who is signed in.

    The hub lends it, and renews it when it must; so ask for it each time that it is needed, and keep it nowhere.

    Parameters
    ----------
    audience
        The service that it is for, where the IAM can make one for it; by default the token of the sign-in.

    Returns
    -------
    str
        Good for a minute at least.

    Raises
    ------
    PlatformError
        This is no server of a workspace, the sign-in has ended, or the IAM makes no token for the service.
    """
    with _lock:
        token, ends = _borrowed.get(audience, ("", 0.0))
        if ends - time.time() < SPARE:
            token, ends = _borrowed[audience] = _borrow(audience)
        return token


def _borrow(audience: str | None) -> tuple[str, float]:
    hub, key = os.environ.get("JUPYTERHUB_API_URL"), os.environ.get("JUPYTERHUB_API_TOKEN")
    if not (hub and key):
        raise PlatformError("There is no sign-in here to lend a token of: work in your server in the workspace.")
    url = f"{hub.removesuffix('/api')}/imagine/token"
    wish = {"audience": audience} if audience else {}
    try:
        answer = httpx.get(url, params=wish, headers={"Authorization": f"token {key}"}, timeout=90, trust_env=False)
        told = answer.json()
    except (httpx.HTTPError, ValueError):
        raise PlatformError("The workspace's hub does not answer: try again in a minute.") from None
    if answer.is_error:
        raise PlatformError(told.get("message") or f"The hub lends no token ({answer.status_code}).")
    return told["access_token"], told["expires_at"]
