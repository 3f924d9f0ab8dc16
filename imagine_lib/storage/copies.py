"""A local copy of a folder in Nextcloud: what is in it, who uses it, and how much room all copies take.

Each file is noted when it has arrived, with its entity tag and what the local disk says about it. A copy that was
interrupted, or changed by a program of the user's, is made good by the next one that wants it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from imagine_lib.errors import StorageError
from imagine_lib.storage.credentials import cache_folder
from imagine_lib.storage.dav import shown
from imagine_lib.storage.local import put_down, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imagine_lib.storage.credentials import Credential
    from imagine_lib.storage.dav import Entry

_held: dict[Path, IO[bytes]] = {}
"""Locks on the copies that this process has been given: they stay until it ends."""


class Copy:
    """The copy of one path of one account.

    Parameters
    ----------
    account
        Whose storage.
    path
        The file or folder in it.
    """

    def __init__(self, account: Credential, path: str) -> None:
        told = f"{account.user}@{account.url}"
        self.root = copies_folder() / _short(told) / _short(path)
        self.files = self.root / "files"
        self._path = path
        self._notes: dict[str, list[Any]] = {}
        self._journal: IO[str] | None = None

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Let one process at a time change the copy, and from then on keep it from being dropped."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self.root.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("Another of your programs copies this folder now; waiting for it", file=sys.stderr)  # noqa: T201
                fcntl.flock(lock, fcntl.LOCK_EX)
            self._hold()
            self._notes = _read_notes(self.root / "notes.jsonl")
            try:
                with (self.root / "notes.jsonl").open("a", buffering=1, encoding="utf-8") as self._journal:
                    yield
            finally:
                self._journal = None
            self._rewrite_notes()

    def is_current(self, entry: Entry) -> bool:
        """Tell whether a file is here as it is in Nextcloud, and as it was when it arrived."""
        note = self._notes.get(entry.path)
        try:
            return bool(entry.etag) and note == [entry.etag, *_stamp(self.target(entry.path))]
        except OSError:
            return False

    def keep(self, entry: Entry, content: bytes) -> None:
        """Put a file into the copy.

        Raises
        ------
        StorageError
            The disk is full.
        """
        moment = entry.modified
        put_down(self.target(entry.path), content, moment.timestamp() if moment else None)
        self.note(entry)

    def note(self, entry: Entry) -> None:
        """Note that a file has arrived."""
        self._notes[entry.path] = [entry.etag, *_stamp(self.target(entry.path))]
        if self._journal:
            with contextlib.suppress(OSError):  # on a full disk, what has arrived is fetched again
                self._journal.write(json.dumps([entry.path, *self._notes[entry.path]]) + "\n")

    def prune(self, entries: Iterable[Entry]) -> None:
        """Take away what is gone from Nextcloud, and make the folders that are empty there."""
        kept = {
            self.target(entry.path): entry.folder for entry in entries if entry.path != self._path or not entry.folder
        }
        folders = {self.files, *(path for path, folder in kept.items() if folder)}
        for path in kept:
            above = path.parent
            while above not in folders:
                folders.add(above)
                above = above.parent
        for place, names, others in os.walk(self.files, topdown=False):
            for name in others:
                if kept.get(Path(place, name), True):
                    Path(place, name).unlink()
            for name in names:
                folder = Path(place, name)
                if folder.is_symlink():
                    folder.unlink()
                elif folder not in folders:
                    folder.rmdir()
        for folder in sorted(folders):
            folder.mkdir(parents=True, exist_ok=True)
        paths = {entry.path for entry in entries}
        self._notes = {path: note for path, note in self._notes.items() if path in paths}

    def target(self, path: str) -> Path:
        """Return where a file of the folder lies here.

        Raises
        ------
        StorageError
            Its name leads out of the copy.
        """
        relative = path[len(self._path) :].lstrip("/") or path.rpartition("/")[2]
        if ".." in relative.split("/") or "\0" in path:
            raise StorageError(f"{shown(path)} has a name that cannot be stored on this machine.")
        return self.files / relative

    def _hold(self) -> None:
        used = self.root / "used"
        used.touch()
        if self.root not in _held:
            _held[self.root] = used.open("rb")
        fcntl.flock(_held[self.root], fcntl.LOCK_SH)

    def _rewrite_notes(self) -> None:
        lines = "".join(f"{json.dumps([path, *note])}\n" for path, note in self._notes.items())
        write_atomically(self.root / "notes.jsonl", lines.encode())
        size = sum(note[2] for note in self._notes.values())
        write_atomically(self.root / "size.json", json.dumps(size).encode())


def copies_folder() -> Path:
    """Return where the copies lie."""
    return cache_folder() / "staging"


def drop(root: Path) -> bool:
    """Delete a copy that no process uses; tell whether that was so."""
    with contextlib.ExitStack() as stack:
        try:
            for path in (root.with_suffix(".lock"), root / "used"):
                fcntl.flock(stack.enter_context(path.open("rb")), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        shutil.rmtree(root, ignore_errors=True)
        return True


def _stamp(path: Path) -> list[int]:
    status = path.lstat()
    return [status.st_mtime_ns, status.st_size, status.st_ino]


def _read_notes(path: Path) -> dict[str, list[Any]]:
    notes: dict[str, list[Any]] = {}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return notes
    for line in lines:
        with contextlib.suppress(ValueError, TypeError):  # a program that was killed leaves half a line
            name, *note = json.loads(line)
            notes[name] = note
    return notes


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
