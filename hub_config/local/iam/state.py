"""Where the IAM lives: its address, and the private folder with its database and its two keys."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from .dresses import DRESSES

if TYPE_CHECKING:
    from collections.abc import Callable


class StartError(Exception):
    """The IAM cannot start; the message says what to set or to repair."""


def issuer() -> SplitResult:
    """Return the public address, which names the issuer and the socket to listen on.

    Raises
    ------
    StartError
        ``IMAGINE_IAM_URL`` is not of the form ``http://HOST:PORT``.
    """
    text = os.environ.get("IMAGINE_IAM_URL", "")
    with contextlib.suppress(ValueError):
        url = urlsplit(text)
        if url.scheme == "http" and url.hostname and url.port and url.geturl() == f"http://{url.netloc}":
            return url
    raise StartError(f"IMAGINE_IAM_URL is {text!r}; set it to http://HOST:PORT, such as http://127.0.0.1:8001.")


def listen() -> str:
    """Return the socket to listen on: the issuer's, unless something else answers there and passes requests on."""
    return os.environ.get("IMAGINE_IAM_LISTEN") or issuer().netloc


def token_seconds() -> int:
    """Return how long an access token is good for: an hour, as at INDIGO IAM, or what the operator says.

    Raises
    ------
    StartError
        ``IMAGINE_IAM_TOKEN_SECONDS`` is no number above 0.
    """
    text = os.environ.get("IMAGINE_IAM_TOKEN_SECONDS", "3600")
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise StartError(f"IMAGINE_IAM_TOKEN_SECONDS is {text!r}; set it to a number of seconds above 0.")


def dress() -> str:
    """Return as which IAM's the groups are written.

    Raises
    ------
    StartError
        ``IMAGINE_IAM_DRESS`` names none that is known.
    """
    text = os.environ.get("IMAGINE_IAM_DRESS", "plain")
    if text in DRESSES:
        return text
    raise StartError(f"IMAGINE_IAM_DRESS is {text!r}; choose one of {', '.join(DRESSES)}.")


def folder() -> Path:
    """Return the state folder, made if it is missing.

    Raises
    ------
    StartError
        ``IMAGINE_IAM_STATE`` is not set, or the folder cannot be made.
    """
    text = os.environ.get("IMAGINE_IAM_STATE")
    if not text:
        raise StartError("IMAGINE_IAM_STATE is not set; set it to the folder for the IAM's accounts and keys.")
    path = Path(text)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"The IAM's state folder {path} cannot be made: {error.strerror}.") from None
    return path


def secret_key() -> str:
    """Return the key that signs sessions and forms; made at the first start."""
    return _kept(folder() / "secret-key", lambda: secrets.token_urlsafe(64))


def signing_key() -> str:
    """Return the RSA key (PEM) that signs tokens; made at the first start, so tokens outlive a restart."""
    return _kept(folder() / "signing-key.pem", _new_rsa_key)


def prepare() -> None:
    """Set Django up and bring the database to today's schema; safe to run in two processes at once."""
    os.umask(0o077)
    os.environ["DJANGO_SETTINGS_MODULE"] = "hub_config.local.iam.settings"
    with (folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        django.setup()
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", interactive=False, verbosity=0)
    call_command("clearsessions", verbosity=0)
    call_command("oidc_cleartokens", stdout=io.StringIO())
    connections.close_all()


def _kept(path: Path, make: Callable[[], str]) -> str:
    """Return what the file holds, made first if missing: whole or not at all, and by one process only."""
    if not path.exists():
        new = path.with_name(f"{path.name}.{os.getpid()}")
        new.touch(mode=0o600)
        new.write_text(make())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(new)
        new.unlink()
    return path.read_text()


def _new_rsa_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
