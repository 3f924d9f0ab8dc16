"""Whom the hub knows: a publisher who mistypes a name is told, because nobody else would ever notice."""

from __future__ import annotations

import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__name__)

HUB_SECONDS = 5
"""How long the hub may take for all names: the version is published already, and a warning is not worth more."""
UNKNOWN = "The workspace knows no user {} yet: check the name; they can load it once they have signed in."


class HubPeople:
    """The hub's knowledge of its users.

    Parameters
    ----------
    api_url
        The hub's own API.
    own_token
        The service's token; its role holds the scope ``read:users:name``.
    """

    def __init__(self, api_url: str, own_token: str) -> None:
        self._api_url = api_url
        self._headers = {"Authorization": f"token {own_token}"}

    def warnings(self, audience: Iterable[str]) -> list[str]:
        """Return a sentence for each ``user:NAME`` whom the hub does not know; none when the hub does not say."""
        names = [name for kind, _, name in (who.partition(":") for who in audience) if kind == "user"]
        unknown: list[str] = []
        deadline = time.monotonic() + HUB_SECONDS
        try:
            with httpx.Client(headers=self._headers, trust_env=False) as client:
                for name in names:
                    client.timeout = httpx.Timeout(max(0.01, deadline - time.monotonic()))
                    if not self._knows(client, name):
                        unknown.append(name)
        except httpx.HTTPError as error:
            kind = type(error).__name__  # and not its text, which may hold the token
            log.warning("The hub does not say whom it knows, so a model's readers are not checked (%s)", kind)
        return [UNKNOWN.format(name) for name in unknown]

    def _knows(self, client: httpx.Client, name: str) -> bool:
        path = quote(name, safe="").replace(".", "%2E")  # a name of dots must not climb to another address
        answer = client.get(f"{self._api_url}/users/{path}")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return False
        answer.raise_for_status()
        return True
