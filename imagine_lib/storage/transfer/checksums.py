"""The checksum that a file was stored with: a Nextcloud keeps whatever a client states, and never compares it."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from imagine_lib.storage.errors import Damaged
from imagine_lib.storage.webdav.protocol import shown

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

_log = logging.getLogger(__name__)

_COMPUTED = {"sha256", "sha1", "md5"}


def stated_checksum(response: httpx.Response) -> str:
    """Return the checksum that a file was stored with, as ``sha256:…``, if it is one that can be computed."""
    name, _, value = response.headers.get("OC-Checksum", "").split(",")[0].strip().lower().partition(":")
    return f"{name}:{value}" if name in _COMPUTED and value else ""


def check(response: httpx.Response, content: bytes, path: str, earlier: list[str]) -> None:
    """Compare a whole file with the checksum that it was stored with, if it was.

    Raises
    ------
    Damaged
        They differ, and not as they did before.
    """
    stated = stated_checksum(response)
    if not stated:
        return
    digest = hashlib.new(stated.partition(":")[0], content, usedforsecurity=False).hexdigest()
    if not stated.endswith(digest) and not is_misstated(digest, "".join(earlier[-1:]), path):
        earlier.append(digest)
        raise Damaged


def digest_of_file(path: Path, stated: str) -> str:
    """Return the checksum of a local file by the algorithm of a stated one; empty without one."""
    if not stated:
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, stated.partition(":")[0]).hexdigest()


def is_misstated(digest: str, earlier: str, path: str) -> bool:
    """Tell whether content that contradicts its checksum came the same way twice: then the checksum is wrong."""
    if digest == earlier:
        _log.warning("%s does not fit the checksum that it was stored with", shown(path))
    return digest == earlier
