"""Where the catalogue lies: a folder with one module a folder, or the URL of an ``index.json``.

The index names the folders beside it. ``IMAGINE_CATALOGUE`` says which catalogue is used; without it, the folder
 ``images`` of this project.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from pydantic import ValidationError

from imagine_lib.catalogue.metadata import CURRENT, OLDER, parse_metadata
from imagine_lib.catalogue.search import find_entry
from imagine_lib.errors import CatalogueError
from imagine_lib.wire import CatalogueEntry, ModelManifest

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

MANIFEST = "model.json"
MODEL = "model"
"""Folder of a module that holds its model package."""

LARGEST_TEXT = 5_000_000
"""Bytes of metadata that are read; more is no description but a mistake or an attack."""


def default_location() -> str:
    """Return where the catalogue lies."""
    return os.environ.get("IMAGINE_CATALOGUE") or str(Path(__file__).parents[2] / "images")


def load(location: str) -> list[CatalogueEntry]:
    """Read every module of a catalogue.

    Parameters
    ----------
    location
        A folder, or the URL of an ``index.json``.

    Returns
    -------
    list of CatalogueEntry
        A module that cannot be read is left out and logged.

    Raises
    ------
    CatalogueError
        The catalogue itself cannot be read.
    """
    return [entry for _, entry in _entries(location)]


def fetch_package(location: str, name: str) -> Path:
    """Return the folder of a module's model package on this machine, fetched first where it lies elsewhere.

    Parameters
    ----------
    location
        The catalogue.
    name
        The module's short name.

    Raises
    ------
    CatalogueError
        There is no such module, it brings no model, or it cannot be fetched.
    """
    entries = list(_entries(location))
    entry = find_entry([found for _, found in entries], name)
    folder = next(folder for folder, found in entries if found is entry)
    if entry.status is None:
        raise CatalogueError(f"Module {name!r} brings no model package that can be loaded here.")
    if not _is_url(location):
        return Path(location) / folder / MODEL
    return _download(_base(location) + f"{folder}/{MODEL}/", name)


def _entries(location: str) -> Iterator[tuple[str, CatalogueEntry]]:
    for folder in _folders(location):
        try:
            yield folder, _read_module(location, folder)
        except (CatalogueError, ValidationError) as error:
            log.warning("Module %s is left out: %s", folder, error)


def _folders(location: str) -> list[str]:
    if _is_url(location):
        try:
            return [str(name) for name in json.loads(_fetch(location))["modules"]]
        except (ValueError, KeyError, TypeError):
            raise CatalogueError(f"The catalogue at {location} is no index of modules.") from None
    try:
        found = sorted(Path(location).iterdir())
    except OSError as error:
        raise CatalogueError(f"The catalogue {location} cannot be read: {error.strerror}.") from None
    return [path.name for path in found if (path / CURRENT).is_file() or (path / OLDER).is_file()]


def _read_module(location: str, folder: str) -> CatalogueEntry:
    manifest = None
    raw = _read(location, folder, f"{MODEL}/{MANIFEST}")
    if raw is not None:
        try:
            manifest = ModelManifest.model_validate_json(raw)
        except ValidationError:
            log.warning(
                "%s/%s/model.json cannot be understood; the module is listed without its model", folder, MODEL
            )
    for file_name in (CURRENT, OLDER):
        text = _read(location, folder, file_name)
        if text is not None:
            return parse_metadata(folder, file_name, text, manifest)
    raise CatalogueError(f"Module {folder!r} of {location} has no {CURRENT}.")


def _read(location: str, folder: str, name: str) -> str | None:
    if _is_url(location):
        content = _get(_base(location) + f"{folder}/{name}", LARGEST_TEXT, missing_ok=True)
        return None if content is None else content.decode("utf-8", errors="replace")
    path = Path(location) / folder / name
    try:
        if path.stat().st_size > LARGEST_TEXT:
            raise CatalogueError(f"{path} is larger than {LARGEST_TEXT // 1_000_000} MB: the module is left out.")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise CatalogueError(f"{path} cannot be read: the module is left out.") from None


def _is_url(location: str) -> bool:
    return location.startswith(("http://", "https://"))


def _base(location: str) -> str:
    return location.rsplit("/", 1)[0] + "/"


def _fetch(url: str) -> str:
    return (_get(url, LARGEST_TEXT) or b"").decode("utf-8", errors="replace")


def _get(url: str, limit: int, missing_ok: bool = False) -> bytes | None:
    content = bytearray()
    try:
        with httpx.stream("GET", url, timeout=20) as response:
            if missing_ok and response.status_code == httpx.codes.NOT_FOUND:
                return None
            response.raise_for_status()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > limit:
                    raise CatalogueError(f"{url} is larger than it may be ({limit // 1_000_000} MB).")
    except httpx.HTTPError:
        raise CatalogueError(f"The catalogue at {url} does not answer: try again later.") from None
    return bytes(content)


def _download(base: str, name: str) -> Path:
    """Fetch a package whole or not at all; one that was fetched before is there already."""
    raw = _get(base + MANIFEST, LARGEST_TEXT) or b""
    cache = Path(os.environ.get("IMAGINE_CACHE", "~/.cache/imagine")).expanduser() / "catalogue"
    target = cache / hashlib.sha256(raw).hexdigest()
    if not target.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=f".{name}-") as scratch:
            package = Path(scratch) / "package"
            package.mkdir()
            (package / MANIFEST).write_bytes(raw)
            for entry in ModelManifest.model_validate_json(raw).files:
                (package / entry.path).parent.mkdir(exist_ok=True)
                (package / entry.path).write_bytes(_get(base + entry.path, entry.size) or b"")
            with contextlib.suppress(OSError):  # another process was quicker
                package.rename(target)
    return target
