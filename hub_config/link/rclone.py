"""What rclone is told of a user's Nextcloud, wherever it mounts it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from imagine_lib.storage.credentials import Credential

REMOTE = "nextcloud"
"""The storage's name in the configuration."""


def configuration(credential: Credential) -> str:
    """Return the text of rclone's configuration file for one account.

    Raises
    ------
    ValueError
        A part of it could be taken for another line: rclone runs with more rights than whoever chose it.
    """
    login, password = credential.basic()
    if not all(part.isprintable() for part in (credential.url, credential.user, login)):
        raise ValueError("The key to the storage holds characters that no address or name has.")
    hidden = subprocess.run(
        [program(), "obscure", "-"],
        input=password,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    url = f"{credential.url.rstrip('/')}/remote.php/dav/files/{quote(credential.user, safe='')}"
    return f"[{REMOTE}]\ntype = webdav\nvendor = nextcloud\nurl = {url}\nuser = {login}\npass = {hidden}\n"


def program() -> str:
    """Return the path of rclone, which is installed beside Python."""
    return str(Path(sys.executable).parent / "rclone")
