"""What the hub asks of a Nextcloud: a key by consent or by sign-in, whose it is, whether it works, and its end."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import httpx
from pydantic import SecretStr

from hub_config.link.addresses import AddressError
from hub_config.link.asking import NO_NEXTCLOUD, Answer, LinkError, Question, ask
from imagine_lib.storage.credentials import DEAD_SECONDS, Credential

if TYPE_CHECKING:
    from hub_config.link.addresses import Addresses

NAME = "iMagine workspace, one server"
"""What a key by sign-in is called in the user's list of app passwords: it goes when its server ends."""

LINK_NAME = "iMagine workspace"
"""What a key by consent is called there. A Nextcloud takes either name from the User-Agent."""

LONGEST_ID = 255

_refused: dict[bytes, float] = {}
"""When a Nextcloud refused a key. After eleven wrong ones it refuses everyone behind the hub's address: a page that
is loaded again must not try a dead key again."""


class SpentError(LinkError):
    """A consent has ended without a key that can be used: only a new one helps."""


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


class Nextclouds:
    """Those that may be asked.

    Parameters
    ----------
    addresses
        Which these are.
    """

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    async def begin(self, url: str) -> Flow:
        """Ask a Nextcloud to ask its user.

        Raises
        ------
        LinkError
            It does not answer, is no Nextcloud, or would send its user or the hub elsewhere.
        """
        answer = await self._ask("POST", f"{url}/index.php/login/v2", name=LINK_NAME)
        login, endpoint = answer.text("login"), answer.text("poll", "endpoint")
        token = answer.text("poll", "token")
        if not (login and endpoint and token):
            raise LinkError(NO_NEXTCLOUD.format(url=url))
        try:
            return Flow(url, self._addresses.at(url, login), self._addresses.at(url, endpoint), token)
        except AddressError as error:
            raise LinkError(str(error)) from None

    async def finish(self, flow: Flow) -> Credential | None:
        """Return the key, once, when the user has said yes; None until then.

        Raises
        ------
        SpentError
            It gave a key that cannot be used.
        LinkError
            It does not answer.
        """
        answer = await self._ask("POST", flow.endpoint, name=LINK_NAME, form={"token": flow.token})
        if answer.status == httpx.codes.NOT_FOUND:
            return None
        auth = answer.text("loginName"), answer.text("appPassword")
        if not (answer.is_success and all(auth)):
            raise LinkError(f"{flow.url} gave no key ({answer.status}): try again.")
        try:
            return await self._named(flow.url, auth[1], auth=auth)
        except LinkError as error:
            await self._revoke(flow.url, auth)
            raise SpentError(str(error)) from None

    async def get_by_sign_in(self, url: str, access_token: str) -> Credential:
        """Get a key with the user's own sign-in, without a second consent: a Nextcloud with ``user_oidc`` gives one.

        Raises
        ------
        LinkError
            It does not answer, or does not take the token.
        """
        answer = await self._ask("GET", f"{url}/ocs/v2.php/core/getapppassword", bearer=access_token)
        password = answer.text("ocs", "data", "apppassword")
        if not (answer.is_success and password):
            raise LinkError(f"Your storage at {url} gave no key for your sign-in ({answer.status}).")
        return await self._named(url, password, bearer=access_token)

    async def check(self, credential: Credential) -> KeyState:
        """Ask whether a key still works; one that was refused is not tried again for half an hour."""
        grave = _grave(credential)
        if _is_dead(grave):
            return KeyState.DEAD
        try:
            answer = await self._ask("GET", f"{credential.url}/ocs/v2.php/cloud/user", auth=credential.basic())
        except LinkError:
            return KeyState.UNKNOWN
        if answer.status == httpx.codes.UNAUTHORIZED:
            _bury(grave)
            return KeyState.DEAD
        opens = answer.is_success and answer.text("ocs", "data", "id") == credential.user
        return KeyState.WORKS if opens else KeyState.UNKNOWN

    async def revoke(self, credential: Credential) -> bool:
        """Give a key back; return whether it opens nothing any more."""
        grave = _grave(credential)
        if _is_dead(grave):
            return True
        gone = await self._revoke(credential.url, credential.basic())
        if gone:
            _bury(grave)
        return gone

    async def _revoke(self, url: str, auth: tuple[str, str]) -> bool:
        try:
            answer = await self._ask("DELETE", f"{url}/ocs/v2.php/core/apppassword", auth=auth)
        except LinkError:
            return False
        done = answer.is_success and answer.text("ocs", "meta", "status") == "ok"
        return done or answer.status == httpx.codes.UNAUTHORIZED

    async def _named(
        self, url: str, password: str, *, auth: tuple[str, str] | None = None, bearer: str = ""
    ) -> Credential:
        """Return a key with the account's id: it is in the paths of files, and need not be the name to log in by."""
        answer = await self._ask("GET", f"{url}/ocs/v2.php/cloud/user", auth=auth, bearer=bearer)
        user = answer.text("ocs", "data", "id")
        login = auth[0] if auth and auth[0] != user else ""
        plain = _is_id(user) and _is_login(login) and password.isascii() and password.isprintable()
        if not (answer.is_success and plain):
            raise LinkError(f"{url} does not say whose key it gave ({answer.status}): try again.")
        return Credential(url=url, user=user, login=login, password=SecretStr(password))

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        name: str = NAME,
        auth: tuple[str, str] | None = None,
        bearer: str = "",
        form: dict[str, str] | None = None,
    ) -> Answer:
        headers = {"User-Agent": name} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        return await ask(self._addresses, Question(method, url, headers, auth, form))


def _is_id(user: str) -> bool:
    """Tell whether an id can be a part of a path and a line of a configuration, and nothing more than that."""
    return 0 < len(user) <= LONGEST_ID and user.isprintable() and "/" not in user and user not in (".", "..")


def _is_login(name: str) -> bool:
    """Tell whether a name to log in by can be a line of a configuration, and half of a header that a colon parts."""
    return len(name) <= LONGEST_ID and name.isprintable() and ":" not in name


def _grave(credential: Credential) -> bytes:
    told = "\0".join((credential.url, *credential.basic()))
    return hashlib.sha256(told.encode()).digest()


def _is_dead(grave: bytes) -> bool:
    return time.monotonic() - _refused.get(grave, -float("inf")) < DEAD_SECONDS


def _bury(grave: bytes) -> None:
    for old in [one for one in _refused if not _is_dead(one)]:
        del _refused[old]
    _refused[grave] = time.monotonic()
