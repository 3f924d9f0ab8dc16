"""What the storage server is told by its environment, read once and checked before anything starts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ConfigError(Exception):
    """A variable is missing or cannot be used; the message names it."""


@dataclass(frozen=True)
class Config:
    """The server's settings."""

    state: Path
    """Folder of everything kept: ``data/USER/files``, the database, unfinished uploads."""
    url: str
    """Public base address."""
    issuer: str
    """The IAM whose bearer tokens are taken; empty: none are."""
    skeleton: Path | None = None
    """Copied into the home of each new user."""
    quota: int | None = None
    """Bytes a user may store; None: no limit."""
    client_secret: str = ""
    """What this server signs in with at the IAM as its client; empty: people cannot sign in here."""
    trusted: tuple[Network, ...] = ()
    """Callers that the brute-force guard never locks out."""
    socket: str = ""
    """Where to listen instead of at ``url``: ``HOST:PORT``."""

    @property
    def listen(self) -> tuple[str, int]:
        """Host and port to bind: the address's own, unless something passes on what comes there."""
        parts = urlsplit(f"//{self.socket}" if self.socket else self.url)
        return parts.hostname or "127.0.0.1", parts.port or 80


def from_environment(environment: Mapping[str, str]) -> Config:
    """Read the ``IMAGINE_STORAGE_…`` variables.

    Raises
    ------
    ConfigError
        One of them is missing or cannot be used.
    """
    skeleton = environment.get("IMAGINE_STORAGE_SKELETON")
    quota = environment.get("IMAGINE_STORAGE_QUOTA", "")
    if quota and not quota.isdecimal():
        raise ConfigError(f"IMAGINE_STORAGE_QUOTA must be a number of bytes, not {quota!r}.")
    if skeleton and not Path(skeleton).is_dir():
        raise ConfigError(f"IMAGINE_STORAGE_SKELETON names {skeleton}, which is not a folder.")
    return Config(
        state=Path(_required(environment, "IMAGINE_STORAGE_STATE")).absolute(),
        url=_address(_required(environment, "IMAGINE_STORAGE_URL")),
        issuer=environment.get("IMAGINE_IAM_URL", ""),
        skeleton=Path(skeleton).absolute() if skeleton else None,
        quota=int(quota) if quota else None,
        client_secret=_secret(environment.get("IMAGINE_STORAGE_CLIENT_SECRET_FILE")),
        trusted=_trusted(environment.get("IMAGINE_STORAGE_BRUTE_FORCE", "on")),
        socket=environment.get("IMAGINE_STORAGE_LISTEN", ""),
    )


def _required(environment: Mapping[str, str], name: str) -> str:
    if value := environment.get(name):
        return value
    raise ConfigError(f"{name} is not set: the storage server cannot start without it.")


def _secret(name: str | None) -> str:
    if not name:
        return ""
    try:
        return Path(name).read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"IMAGINE_STORAGE_CLIENT_SECRET_FILE names {name}, which cannot be read.") from None


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "http" and parts.hostname and parts.port
    except ValueError:
        usable = None
    if not usable:
        raise ConfigError(f"IMAGINE_STORAGE_URL must look like http://127.0.0.1:8002, not {url!r}.")
    return url.rstrip("/")


def _trusted(guard: str) -> tuple[Network, ...]:
    """Read the guard's switch: ``on``, ``off``, or the networks it leaves alone (``127.0.0.0/8,::1``)."""
    if guard == "on":
        return ()
    networks = "0.0.0.0/0,::/0" if guard == "off" else guard
    try:
        return tuple(ipaddress.ip_network(network.strip()) for network in networks.split(","))
    except ValueError as error:
        raise ConfigError(f"IMAGINE_STORAGE_BRUTE_FORCE must be on, off or networks: {error}.") from None
