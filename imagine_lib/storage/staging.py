"""Local copies of folders in Nextcloud, kept true by their ETags.

Training never reads through the mount: a folder is copied to local disk once, and again only where it changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from imagine_lib.errors import StorageError
from imagine_lib.storage.filesystem import NextcloudFileSystem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PARALLEL = 8
"""Requests in flight: a Nextcloud on two cores gains nothing from more."""


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path lies in Nextcloud."""
    return str(path).startswith("nextcloud:")


def stage(
    uri: str,
    progress: Callable[[int, int], None] | None = None,
    filesystem: NextcloudFileSystem | None = None,
) -> Path:
    """Copy a file or folder of the user's Nextcloud to local disk.

    Parameters
    ----------
    uri
        ``nextcloud:/path``.
    progress
        Called with the number of files fetched and the number to fetch.
    filesystem
        Whose storage; by default the signed-in user's.

    Returns
    -------
    pathlib.Path
        The local copy. Files that are gone from Nextcloud are gone from it.

    Raises
    ------
    StorageError
        The storage is down, refuses, or the local disk is full.
    FileNotFoundError
        There is nothing at that path.
    """
    filesystem = filesystem or NextcloudFileSystem()
    path = filesystem._strip_protocol(uri)
    top = filesystem.info(path)
    root = _cache_folder(filesystem) / _safe(path)
    with _locked(root):
        _refresh(filesystem, root, path, top, progress)
    return _target(root, path, path) if top["type"] == "file" else root / "files"


def _refresh(
    filesystem: NextcloudFileSystem,
    root: Path,
    path: str,
    top: dict[str, Any],
    progress: Callable[[int, int], None] | None,
) -> None:
    """Make the copy what Nextcloud holds now, empty folders too: one may be a class that lacks its images."""
    entries = {entry["name"]: entry for entry in _walk(filesystem, top)}
    files = [entry for entry in entries.values() if entry["type"] == "file"]
    etags = _read_index(root)
    wanted = [entry for entry in files if not _is_current(root, path, entry, etags)]
    known = {name: etag for name, etag in etags.items() if name in entries}
    try:
        _fetch_all(filesystem, root, path, wanted, progress, known)
    except BaseException:
        with contextlib.suppress(OSError):  # on a full disk, what has arrived is fetched again
            _write_index(root, known)
        raise
    _write_index(root, known)
    _drop_missing(root, path, entries)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Let one process at a time change a copy."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another of your programs copies this folder now; waiting for it", file=sys.stderr)  # noqa: T201
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _cache_folder(filesystem: NextcloudFileSystem) -> Path:
    base = Path(os.environ.get("IMAGINE_CACHE", "~/.cache/imagine")).expanduser() / "staging"
    account = f"{filesystem.credential.user}@{filesystem.credential.url}"
    return base / hashlib.sha256(account.encode()).hexdigest()[:16]


def _safe(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:16]


def _walk(filesystem: NextcloudFileSystem, entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield entry
    if entry["type"] == "directory":
        for child in filesystem.ls(entry["name"]):
            yield from _walk(filesystem, child)


def _target(root: Path, path: str, name: str) -> Path:
    relative = PurePosixPath(name).relative_to(path) if name != path else PurePosixPath(PurePosixPath(name).name)
    if ".." in relative.parts:
        raise StorageError(f"nextcloud:/{name} has a name that cannot be stored on this machine.")
    return root / "files" / relative


def _is_current(root: Path, path: str, entry: dict[str, Any], etags: dict[str, str]) -> bool:
    target = _target(root, path, entry["name"])
    same = bool(entry["etag"]) and etags.get(entry["name"]) == entry["etag"]
    return same and target.is_file() and target.stat().st_size == entry["size"]


def _fetch_all(
    filesystem: NextcloudFileSystem,
    root: Path,
    path: str,
    entries: list[dict[str, Any]],
    progress: Callable[[int, int], None] | None,
    known: dict[str, str],
) -> None:
    """Fetch files side by side, noting each that has arrived in ``known``."""
    show = progress or _print_progress
    with ThreadPoolExecutor(PARALLEL) as pool:
        jobs = pool.map(lambda entry: _fetch(filesystem, _target(root, path, entry["name"]), entry), entries)
        for done, entry in enumerate(jobs, start=1):
            known[entry["name"]] = entry["etag"]
            show(done, len(entries))


def _fetch(filesystem: NextcloudFileSystem, target: Path, entry: dict[str, Any]) -> dict[str, Any]:
    content = filesystem.cat_file(entry["name"])
    if len(content) != entry["size"]:
        raise StorageError(f"nextcloud:/{entry['name']} changed while it was read; try again.")
    try:
        write_atomically(target, content)
    except OSError as error:
        raise StorageError(
            f"The local copy {target} could not be written ({error.strerror}); free some disk space."
        ) from None
    return entry


def write_atomically(target: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _drop_missing(root: Path, path: str, entries: dict[str, dict[str, Any]]) -> None:
    """Take away what is gone from Nextcloud, and make the folders that are empty there."""
    kept: dict[str, set[Path]] = {"file": set(), "directory": {root / "files"}}
    for name, entry in entries.items():
        if name != path or entry["type"] == "file":
            kept[entry["type"]].add(_target(root, path, name))
    for found in sorted((root / "files").rglob("*"), reverse=True):
        if not found.is_dir():
            if found not in kept["file"]:
                found.unlink()
        elif found not in kept["directory"] and not any(found.iterdir()):
            found.rmdir()
    for folder in kept["directory"]:
        folder.mkdir(parents=True, exist_ok=True)


def _read_index(root: Path) -> dict[str, str]:
    try:
        return dict(json.loads((root / "etags.json").read_text()))
    except (OSError, ValueError):
        return {}


def _write_index(root: Path, etags: dict[str, str]) -> None:
    write_atomically(root / "etags.json", json.dumps(etags).encode())


def _print_progress(done: int, total: int) -> None:
    if done == total or done % 100 == 0:
        stream = sys.stdout if "ipykernel" in sys.modules else sys.stderr  # a notebook shows the latter as an error
        print(f"Fetched {done} of {total} files from Nextcloud", file=stream)
