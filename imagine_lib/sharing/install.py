"""Bring a shared model to this machine: fetched once, verified each time it is loaded."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from imagine_lib.errors import ModelError, UsageError
from imagine_lib.models.package import ModelPackage, read_package

if TYPE_CHECKING:
    from imagine_lib.sharing.client import PlatformClient
    from imagine_lib.wire import ModelVersion

REFERENCE = re.compile(r"(?P<owner>[^/@\s]+)/(?P<name>[^/@\s]+)(?:@(?P<version>\d+|latest))?")


def is_reference(text: str) -> bool:
    """Tell whether a text names a shared model: ``owner/name`` or ``owner/name@version``."""
    return REFERENCE.fullmatch(text) is not None


def install(client: PlatformClient, reference: str) -> tuple[ModelVersion, ModelPackage]:
    """Fetch a shared model.

    Parameters
    ----------
    client
        As whom.
    reference
        ``owner/name`` (the newest version) or ``owner/name@version``.

    Returns
    -------
    ModelVersion, ModelPackage

    Raises
    ------
    UsageError
        The reference has another form.
    ModelError
        The version was withdrawn, or what arrived is not what was published.
    PlatformError
        The user may not see it, or the platform cannot be reached.
    """
    found = REFERENCE.fullmatch(reference)
    if found is None:
        raise UsageError(f"{reference!r} names no shared model: write owner/name or owner/name@version.")
    version = client.version(found["owner"], found["name"], found["version"] or "latest")
    if version.withdrawn is not None:
        raise ModelError(f"{reference} was withdrawn by its owner: {version.withdrawn}")
    folder = _cache() / version.sha256
    if not (folder / "model.json").is_file():
        _fetch_files(client, version, folder)
    package = read_package(folder)
    if package.sha256 != version.sha256:
        raise ModelError(
            f"The local copy of {reference} in {folder} was changed: delete that folder and load it again."
        )
    return version, package


def _fetch_files(client: PlatformClient, version: ModelVersion, folder: Path) -> None:
    """Fetch all files, ``model.json`` last: a folder without it counts as not there."""
    for entry in sorted(version.files, key=lambda file: file.path == "model.json"):
        client.download(version, entry.path, folder / entry.path)


def _cache() -> Path:
    return Path(os.environ.get("IMAGINE_CACHE", "~/.cache/imagine")).expanduser() / "models"
