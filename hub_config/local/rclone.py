"""How rclone is started to mount a Nextcloud, and how it is asked what it has not sent yet."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import httpx

from hub_config.link.rclone import program
from hub_config.local.places import runs_as_root

if TYPE_CHECKING:
    from pathlib import Path

    from hub_config.local.accounts import Account
    from imagine_lib.storage.credentials import Credential


def cache_folder(folder: Path, credential: Credential) -> Path:
    """Return where rclone keeps what it has read and not sent yet, elsewhere for each account of each storage."""
    account = f"{credential.url.rstrip('/')}\0{credential.user}"
    return folder / "cache" / hashlib.sha256(account.encode()).hexdigest()[:16]


def mount_command(account: Account, point: Path, folder: Path, cache: Path, socket: Path | None) -> list[str]:
    """Return the command that mounts.

    Parameters
    ----------
    account
        Whose.
    point
        Where.
    folder
        With the configuration.
    cache
        For what it has read and not sent yet.
    socket
        Where it can be asked; None: nowhere.
    """
    options = {
        "--config": str(folder / "rclone.conf"),
        "--cache-dir": str(cache),
        "--vfs-cache-mode": "full",
        "--vfs-write-back": "1s",
        "--vfs-cache-max-size": "10Gi",
        "--vfs-cache-min-free-space": "2Gi",  # one user's reading must not fill the disk of all
        "--webdav-pacer-min-sleep": "0",
        "--webdav-nextcloud-chunk-size": "0",
        "--dir-cache-time": "5s",
        "--umask": "077",
    }
    if socket is not None:
        options["--rc-addr"] = f"unix://{socket}"
    command = [program(), "mount", "nextcloud:", str(point), *(word for pair in options.items() for word in pair)]
    if socket is not None:
        command += ["--rc", "--rc-no-auth"]  # the socket lies where only the supervisor can go
    if runs_as_root():
        command += ["--allow-other", "--default-permissions", "--uid", str(account.uid), "--gid", str(account.uid)]
    return command


def count_unsent(socket: Path) -> int | None:
    """Return how many files a mount has not sent yet; None where it does not say."""
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), timeout=5) as client:
            told = client.post("http://rclone/vfs/stats", json={}).raise_for_status().json()["diskCache"]
        return int(told["uploadsInProgress"]) + int(told["uploadsQueued"])
    except (httpx.HTTPError, ValueError, KeyError):
        return None


def caches(folder: Path) -> list[Path]:
    """Return the caches of a user's mounts: one for each account that was linked."""
    return list((folder / "cache").glob("*"))


def count_kept(cache: Path) -> int:
    """Return how many files lie in the cache of a mount that no storage has yet."""
    return sum(_is_dirty(note) for note in (cache / "vfsMeta").glob("**/*") if note.is_file())


def _is_dirty(note: Path) -> bool:
    try:
        return bool(json.loads(note.read_bytes())["Dirty"])
    except (OSError, ValueError, KeyError, TypeError):  # rclone is at it
        return False
