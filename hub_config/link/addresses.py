"""Which Nextclouds may be linked: those that the operator names, and no address inside the operator's own network."""

from __future__ import annotations

import asyncio
import fnmatch
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*")
"""A name, or an address of either kind. What two programs could read in two ways is neither."""

PATH = re.compile(r"[\w/.~-]*", re.ASCII)
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: stands for the IPv4 address in its last four bytes."""

PORTS = {"http": 80, "https": 443}


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
        await self.resolve(base)
        return base

    async def resolve(self, address: str) -> list[str]:
        """Return where to connect to for an address, and nowhere else: its name may lead elsewhere a moment later.

        Parameters
        ----------
        address
            Of a Nextcloud, or of something at it.

        Returns
        -------
        list of str
            Addresses that were looked at, best first; the host itself where the operator trusts it in full.

        Raises
        ------
        AddressError
            As for :meth:`check`.
        """
        url = _read(address)
        host = url.hostname or ""
        if self._is_trusted(url):
            return [host]
        names = [pattern.lower() for pattern in self.patterns if ":" not in pattern]
        if not any(fnmatch.fnmatchcase(host, name) for name in names):
            known = ", ".join([self.home, *self.patterns])
            raise AddressError(f"{url.netloc} is not one of the storages that may be linked here: {known}.")
        if url.scheme != "https":
            raise AddressError(f"{address} is not secure: give its address with https://.")
        return await _public(host, url.port or PORTS["https"])

    @staticmethod
    def at(base: str, address: str) -> str:
        """Return an address that a Nextcloud gave, if it lies at that Nextcloud and is nothing else.

        Raises
        ------
        AddressError
            It leads elsewhere.
        """
        try:
            url = _read(address)
        except AddressError:
            url = None
        if url is None or url[:2] != urlsplit(base)[:2]:
            raise AddressError(f"{base} sends its users elsewhere, which is not allowed.")
        return url.geturl()

    def _is_trusted(self, url: SplitResult) -> bool:
        own = _read(self.home)
        if (url.scheme, url.netloc) == (own.scheme, own.netloc):
            return True
        in_full = f"{url.netloc.removesuffix(f':{url.port}')}:{url.port or PORTS[url.scheme]}"
        return in_full in [pattern.lower() for pattern in self.patterns]


def is_public(text: str) -> bool:
    """Tell whether an IP address is one of the public network, also by the IPv4 address that it may stand for."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and (inner := _inner(address)) is not None:
        return is_public(str(inner))
    return address.is_global and not (
        address.is_multicast or address.is_reserved or getattr(address, "is_site_local", False)
    )


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.teredo is not None:
        return address.teredo[1]
    if address in NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour


def _read(text: str) -> SplitResult:
    text = text.strip()
    try:
        url = urlsplit(text if "://" in text else f"https://{text}")
        port, host = url.port, url.hostname or ""
    except ValueError:
        raise AddressError(f"{text!r} is no address of a Nextcloud.") from None
    odd = url.username is not None or url.query or url.fragment or port == 0 or not PATH.fullmatch(url.path)
    if url.scheme not in PORTS or odd or not HOST.fullmatch(host):
        raise AddressError(f"{text!r} is no address of a Nextcloud: it looks like https://cloud.example.org.")
    shown = f"[{host}]" if ":" in host else host
    usual = port is None or port == PORTS[url.scheme]
    return url._replace(netloc=shown if usual else f"{shown}:{port}")


async def _public(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressError(f"{host} is not known: check the address.") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses or not all(is_public(address) for address in addresses):
        raise AddressError(f"{host} lies in a network that may not be reached from here.")
    return addresses
