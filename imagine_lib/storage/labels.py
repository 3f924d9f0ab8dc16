"""The checksum that a file was stored with: a Nextcloud keeps whatever a client states, and never compares it."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from imagine_lib.storage.dav import shown
from imagine_lib.storage.refusals import Damaged

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

_log = logging.getLogger(__name__)

_COMPUTED = {"sha256", "sha1", "md5"}


def label_of(response: httpx.Response) -> str:
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
    label = label_of(response)
    if not label:
        return
    digest = hashlib.new(label.partition(":")[0], content, usedforsecurity=False).hexdigest()
    if not label.endswith(digest) and not is_wrong_label(digest, "".join(earlier[-1:]), path):
        earlier.append(digest)
        raise Damaged


def digest_of_file(path: Path, label: str) -> str:
    """Return the checksum of a local file of the kind that a label has; empty without one."""
    if not label:
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, label.partition(":")[0]).hexdigest()


def is_wrong_label(digest: str, earlier: str, path: str) -> bool:
    """Tell whether content that contradicts its label came the same way twice: then it is the label that is wrong."""
    if digest == earlier:
        _log.warning("%s does not fit the checksum that it was stored with", shown(path))
    return digest == earlier
