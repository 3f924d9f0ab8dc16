"""What the hub asks of a Nextcloud: a key by consent or by sign-in, whose it is, whether it works, and its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from imagine_lib.storage.credentials import Credential

SECONDS = 15
NAME = "iMagine workspace"
"""What each key is called in the user's list of app passwords: a Nextcloud takes it from the User-Agent."""

HEADERS = {"OCS-APIRequest": "true", "Accept": "application/json", "User-Agent": NAME}
LARGEST_ANSWER = 1024**2


class LinkError(Exception):
    """The storage gave no key; the message says why."""


class KeyState(Enum):
    """What a Nextcloud says of a key."""

    WORKS = "works"
    DEAD = "dead"
    """It was revoked, or the account is closed: only a new one helps."""
    UNKNOWN = "unknown"
    """There was no answer that says anything about it."""


@dataclass(frozen=True)
class Flow:
    """A consent that is under way (Login Flow v2)."""

    url: str
    login: str
    """Where the user says yes."""
    endpoint: str = field(repr=False)
    token: str = field(repr=False)


async def begin(url: str) -> Flow:
    """Ask a Nextcloud to ask its user.

    Raises
    ------
    LinkError
        It does not answer, or is no Nextcloud.
    """
    answer = await _ask("POST", url, "/index.php/login/v2")
    told = _json(answer)
    try:
        flow = Flow(url, told["login"], told["poll"]["endpoint"], told["poll"]["token"])
    except (KeyError, TypeError):
        raise LinkError(f"{url} does not answer as a Nextcloud does: check the address.") from None
    if not (_is_at(url, flow.login) and _is_at(url, flow.endpoint)):
        raise LinkError(f"{url} sends its users elsewhere, which is not allowed.")
    return flow


async def finish(flow: Flow) -> Credential | None:
    """Return the key, once, when the user has said yes; None until then.

    Raises
    ------
    LinkError
        The Nextcloud does not answer.
    """
    answer = await _ask("POST", flow.endpoint, "", data={"token": flow.token})
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    told = _json(answer)
    try:
        login, password = told["loginName"], told["appPassword"]
    except (KeyError, TypeError):
        raise LinkError(f"{flow.url} gave no key ({answer.status_code}): try again.") from None
    return await _named(flow.url, {"auth": (login, password)}, password)


async def get_by_sign_in(url: str, access_token: str) -> Credential:
    """Get a key with the user's own sign-in, without a second consent: a Nextcloud with ``user_oidc`` gives one.

    Raises
    ------
    LinkError
        It does not answer, or does not take the token.
    """
    bearer = {"headers": {"Authorization": f"Bearer {access_token}"}}
    answer = await _ask("GET", url, "/ocs/v2.php/core/getapppassword", **bearer)
    if answer.status_code != httpx.codes.OK:
        raise LinkError(f"Your storage at {url} gave no key for your sign-in ({answer.status_code}).")
    password = _json(answer)["ocs"]["data"]["apppassword"]
    return await _named(url, {"auth": None, **bearer}, password)


async def check(credential: Credential) -> KeyState:
    """Ask once whether a key still works: wrong ones that are tried often lock the hub's address out."""
    auth = (credential.user, credential.password.get_secret_value())
    try:
        answer = await _ask("GET", credential.url, "/ocs/v2.php/cloud/user", auth=auth)
    except LinkError:
        return KeyState.UNKNOWN
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return KeyState.DEAD
    return KeyState.WORKS if answer.is_success else KeyState.UNKNOWN


async def revoke(credential: Credential) -> bool:
    """Give a key back; return whether the Nextcloud has taken it."""
    auth = (credential.user, credential.password.get_secret_value())
    try:
        return (await _ask("DELETE", credential.url, "/ocs/v2.php/core/apppassword", auth=auth)).is_success
    except LinkError:
        return False


async def _named(url: str, how: dict[str, Any], password: str) -> Credential:
    """Return a key with the account's id: it is in the paths of files, and need not be the name to log in by."""
    answer = await _ask("GET", url, "/ocs/v2.php/cloud/user", **how)
    try:
        user = _json(answer)["ocs"]["data"]["id"]
    except (KeyError, TypeError):
        raise LinkError(f"{url} does not say whose key it gave ({answer.status_code}): try again.") from None
    return Credential(url=url, user=user, password=SecretStr(password))


async def _ask(method: str, url: str, path: str, **what: Any) -> httpx.Response:
    headers = HEADERS | what.pop("headers", {})
    try:
        async with (
            httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client,
            client.stream(method, f"{url}{path}", headers=headers, **what) as answer,
        ):
            content = b""
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > LARGEST_ANSWER:
                    raise LinkError(f"{url} does not answer as a Nextcloud does: check the address.")
    except httpx.HTTPError:
        raise LinkError(f"Your storage at {url} does not answer.") from None
    answer._content = content
    return answer


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _is_at(url: str, address: str) -> bool:
    return urlsplit(address)[:2] == urlsplit(url)[:2]
