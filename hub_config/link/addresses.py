"""Which Nextclouds may be linked: those that the operator names, and no address inside the operator's own network."""

from __future__ import annotations

import asyncio
import fnmatch
import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence


class AddressError(Exception):
    """The address may not be linked; the message says why."""


@dataclass(frozen=True)
class Addresses:
    """The operator's list.

    Parameters
    ----------
    home
        The workspace's own Nextcloud, which may lie anywhere.
    patterns
        Hosts of others, such as ``cloud.example.org`` or ``*.example.org``. ``HOST:PORT`` in full also allows an
        address of the operator's own network, and http.
    """

    home: str
    patterns: Sequence[str] = ()

    async def check(self, text: str) -> str:
        """Return the base address that a user means.

        Raises
        ------
        AddressError
            It is no address, is not on the list, or leads into the operator's own network.
        """
        url = _read(text)
        base = f"{url.scheme}://{url.netloc}{url.path.rstrip('/').removesuffix('/index.php')}"
        if base == self.home.rstrip("/") or url.netloc in self.patterns:
            return base
        if not any(
            fnmatch.fnmatchcase(url.hostname or "", pattern) for pattern in self.patterns if ":" not in pattern
        ):
            known = ", ".join([self.home, *self.patterns])
            raise AddressError(f"{url.netloc} is not one of the storages that may be linked here: {known}.")
        if url.scheme != "https":
            raise AddressError(f"{text} is not secure: give its address with https://.")
        await _require_public(url)
        return base


def _read(text: str) -> SplitResult:
    text = text.strip()
    try:
        url = urlsplit(text if "://" in text else f"https://{text}")
        port = url.port
    except ValueError:
        raise AddressError(f"{text!r} is no address of a Nextcloud.") from None
    odd = url.username is not None or url.query or url.fragment or port == 0
    if url.scheme not in ("http", "https") or not url.hostname or odd or not url.netloc.isascii():
        raise AddressError(f"{text!r} is no address of a Nextcloud: it looks like https://cloud.example.org.")
    return url._replace(netloc=url.netloc.lower())


async def _require_public(url: SplitResult) -> None:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(url.hostname, url.port or 443, type=socket.SOCK_STREAM)
    except OSError:
        raise AddressError(f"{url.hostname} is not known: check the address.") from None
    if not all(ipaddress.ip_address(entry[4][0]).is_global for entry in found):
        raise AddressError(f"{url.hostname} lies in a network that may not be reached from here.")
