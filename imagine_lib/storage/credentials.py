"""Where the library finds the key to the user's storage: a file that only the user can read."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import BaseModel, SecretStr, ValidationError

from imagine_lib.errors import StorageError

DEFAULT_FILE = Path("~/.config/imagine/storage.json")


class Credential(BaseModel):
    """An app password for one account on one Nextcloud."""

    url: str
    """Base address of the server."""
    user: str
    """The account's id, as in ``/remote.php/dav/files/USER``."""
    password: SecretStr


def read_credential() -> Credential:
    """Read the credential that the workspace put into the user's home.

    Returns
    -------
    Credential

    Raises
    ------
    StorageError
        There is none, or the file cannot be read.
    """
    path = Path(os.environ.get("IMAGINE_STORAGE_CREDENTIALS", DEFAULT_FILE)).expanduser()
    try:
        return Credential.model_validate(json.loads(path.read_text()))
    except FileNotFoundError:
        raise StorageError(
            f"No storage is linked: {path} does not exist; restart your server from the hub to link it."
        ) from None
    except (OSError, ValueError, ValidationError):
        raise StorageError(
            f"The storage credential in {path} cannot be read; restart your server from the hub to renew it."
        ) from None
