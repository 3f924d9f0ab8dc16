"""Where the library finds the key to the user's storage: a file that only the user can read.

A Nextcloud that sees eleven wrong passwords from one address refuses everyone behind it, so a refused key is told to
all programs of the user and tried by none of them again until the file is written anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Self

import httpx
from pydantic import BaseModel, SecretStr, ValidationError, model_validator

from imagine_lib.errors import StorageError
from imagine_lib.identity import iam_token
from imagine_lib.storage.errors import NotLinked, dead_credential

DEFAULT_FILE = Path("~/.config/imagine/storage.json")
DEAD_SECONDS = 1800
"""How long a refused key that is in no file is left alone: as long as a Nextcloud remembers wrong passwords."""

_buried: dict[Path, set[str]] = {}


class Credential(BaseModel):
    """A key for one account on one Nextcloud: an app password, or the user's token of the IAM."""

    url: str
    """Base address of the server."""
    user: str
    """The account's id, as in ``/remote.php/dav/files/USER``."""
    login: str = ""
    """The name that the password belongs to, where that is not the id: who signs in by e-mail gets one for that."""
    password: SecretStr = SecretStr("")
    bearer: bool = False
    """Whether the user's token of the IAM opens it, in place of a password."""
    audience: str | None = None
    """What a token is asked for, where the IAM makes them for one service each."""

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.bearer == bool(self.password.get_secret_value()):
            raise ValueError("a credential holds either a password or the word that a token opens the storage")
        return self

    def authorization(self) -> str:
        """Return the header that opens the storage; a token is borrowed from the hub, which may take a moment.

        Raises
        ------
        PlatformError
            The hub lends no token.
        """
        if self.bearer:
            return f"Bearer {iam_token(self.audience)}"
        return httpx.BasicAuth(*self.basic())._auth_header

    def basic(self) -> tuple[str, str]:
        """Return the name and the password that open the storage, where no token does."""
        return self.login or self.user, self.password.get_secret_value()


def credential_file() -> Path:
    """Return where the workspace puts the credential."""
    return Path(os.environ.get("IMAGINE_STORAGE_CREDENTIALS", DEFAULT_FILE)).expanduser()


def read_credential() -> Credential:
    """Read the credential that the workspace put into the user's home.

    Returns
    -------
    Credential

    Raises
    ------
    NotLinked
        There is none, or it cannot be read.
    """
    path = credential_file()
    try:
        return Credential.model_validate(json.loads(path.read_text()))
    except FileNotFoundError:
        raise NotLinked(
            f"No storage is linked: {path} does not exist; link yours on the hub's page Storage."
        ) from None
    except (OSError, ValueError, ValidationError):
        raise NotLinked(
            f"The storage credential in {path} cannot be read; link your storage again on the hub's page Storage."
        ) from None


class Key:
    """The credential in use: read again when its file has changed, so that linking anew repairs a running notebook.

    Parameters
    ----------
    credential
        A fixed one; by default the one in the user's home.
    """

    def __init__(self, credential: Credential | None = None) -> None:
        self._fixed = credential is not None
        self._file = credential_file()
        self._seen = self._stamp()
        self._credential = credential or read_credential()

    def current(self) -> Credential:
        """Return the credential.

        Raises
        ------
        StorageError
            The storage has refused it, and there is no other yet; or the new one is for another account.
        """
        if not self._fixed and (stamp := self._stamp()) != self._seen:
            fresh = read_credential()
            known = self._credential
            if (fresh.url, fresh.user) != (known.url, known.user):
                raise StorageError(
                    "Another storage has been linked meanwhile: start again from the cell that opened this one."
                )
            self._credential, self._seen = fresh, stamp
        if not self._credential.bearer and _is_dead(self._credential, self._link()):
            raise dead_credential()
        return self._credential

    @property
    def account(self) -> Credential:
        """Whose files they are; whether the key still opens them is another question."""
        return self._credential

    def refused(self, credential: Credential) -> None:
        """Note that the storage refused a credential."""
        if not credential.bearer:
            _bury(credential, self._link())

    def _link(self) -> str:
        """Return what tells one linking of a key from the next: the file as it was written then."""
        return str(int(time.time() // DEAD_SECONDS) if self._fixed else self._seen)

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def cache_folder() -> Path:
    """Return where the library keeps what it can fetch again."""
    return Path(os.environ.get("IMAGINE_CACHE", "~/.cache/imagine")).expanduser()


def _grave(credential: Credential) -> Path:
    told = "\0".join((credential.url, *credential.basic()))
    return cache_folder() / "refused" / hashlib.sha256(told.encode()).hexdigest()


def _bury(credential: Credential, link: str) -> None:
    grave = _grave(credential)
    _buried.setdefault(grave, set()).add(link)
    with contextlib.suppress(OSError):  # a full disk: then the other programs find out for themselves
        grave.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with grave.open("a") as file:
            file.write(f"{link}\n")


def _is_dead(credential: Credential, link: str) -> bool:
    grave = _grave(credential)
    try:
        told = grave.read_text().splitlines()
    except OSError:
        told = []
    return link in told or link in _buried.get(grave, ())
