"""A local copy of a folder in Nextcloud: what is in it, who uses it, and how much room all copies take.

Each file is noted when it has arrived, with its entity tag and what the local disk says about it. A copy that was
interrupted, or changed by a program of the user's, is made good by the next one that wants it. What a program has
been given stays as it is until that program ends: who wants the folder's newer state gets one beside it, in which the
files that have not changed are the same ones on disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from imagine_lib.errors import StorageError
from imagine_lib.storage.staging.locks import acquire, copies_folder, drop_unused, is_used, release, states
from imagine_lib.storage.transfer.local import put_down, write_atomically
from imagine_lib.storage.webdav.protocol import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagine_lib.storage.credentials import Credential
    from imagine_lib.storage.webdav.protocol import Entry


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
        self._first = self.root = copies_folder() / _short(told) / _short(path)
        self._path = path
        self._given = False
        """Whether a program, or this one, has been given this state."""
        self._notes: dict[str, list[Any]] = {}
        self._journal: IO[str] | None = None
        self._holds = contextlib.ExitStack()
        """Lets go of what a change has begun to hold, where it fails or goes on elsewhere."""

    @property
    def files(self) -> Path:
        """Where the files are."""
        return self.root / "files"

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Let one process at a time change the copy, and from then on keep what it is given from being dropped."""
        self._first.parent.mkdir(parents=True, exist_ok=True)
        with self._first.with_suffix(".lock").open("w") as lock, contextlib.ExitStack() as holds:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("Another of your programs copies this folder now; waiting for it", file=sys.stderr)  # noqa: T201
                fcntl.flock(lock, fcntl.LOCK_EX)
            *older, newest = states(self._first) or [self._first]
            for root in older:
                drop_unused(root)
            self._holds = holds
            self._enter(newest)
            try:
                yield
            finally:
                self._leave()
            _write_notes(self.root, self._notes)
            size = sum(note[2] for note in self._notes.values())
            write_atomically(self.root / "size.json", json.dumps(size).encode())
            holds.pop_all()

    def is_current(self, entry: Entry) -> bool:
        """Tell whether a file is here as it is in Nextcloud, and as it was when it arrived."""
        note = self._notes.get(entry.path)
        try:
            stamp = _stamp(self.target(entry.path))
            return bool(entry.etag) and note == [entry.etag, *stamp] and entry.size == stamp[1]
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

    def fit(self, entries: list[Entry]) -> list[Entry]:
        """Take away what is gone from Nextcloud, and make the folders that are empty there; return what is to come.

        A state that a program has been given stays as it is, and the copy goes on as another one.
        """
        files = [entry for entry in entries if not entry.folder]
        current = [entry for entry in files if self.is_current(entry)]
        if len(current) == len(files) and self._is_tidy(entries):
            return []
        if self._given:
            self._go_on_elsewhere(current)
        self._tidy(entries)
        return [entry for entry in files if not self.is_current(entry)]

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

    def _enter(self, root: Path) -> None:
        """Begin to work on a state of the copy, and hold it."""
        self._leave()
        self.root = root
        self.files.mkdir(parents=True, exist_ok=True)
        self._given = is_used(root)
        if acquire(root):
            self._holds.callback(release, root)
        self._notes = _read_notes(root / "notes.jsonl")
        self._journal = (root / "notes.jsonl").open("a", buffering=1, encoding="utf-8")

    def _leave(self) -> None:
        if self._journal:
            self._journal.close()
        self._journal = None

    def _go_on_elsewhere(self, current: list[Entry]) -> None:
        """Begin another state, with the files that have not changed."""
        number = int(self.root.suffix.removeprefix(".") or 0) + 1
        root = self._first.with_suffix(f".{number}")
        for entry in current:
            place = self.target(entry.path)
            target = root / place.relative_to(self.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(OSError):  # what the disk cannot link is fetched again
                os.link(place, target)
        root.mkdir(exist_ok=True)
        _write_notes(root, {entry.path: self._notes[entry.path] for entry in current})
        self._holds.close()
        self._enter(root)

    def _layout(self, entries: list[Entry]) -> tuple[set[Path], set[Path]]:
        """Return where the files and the folders of a listing lie here."""
        files = {self.target(entry.path) for entry in entries if not entry.folder}
        below = {self.target(entry.path) for entry in entries if entry.folder and entry.path != self._path}
        folders = {self.files, *below}
        for path in files | below:
            above = path.parent
            while above not in folders:
                folders.add(above)
                above = above.parent
        return files, folders

    def _is_tidy(self, entries: list[Entry]) -> bool:
        """Tell whether nothing else than a listing's files and folders is here."""
        found_files, found_folders = set(), {self.files}
        for place, names, others in os.walk(self.files):
            found_files |= {Path(place, name) for name in others}
            found_folders |= {Path(place, name) for name in names}
        links = any(folder.is_symlink() for folder in found_folders)
        return not links and (found_files, found_folders) == self._layout(entries)

    def _tidy(self, entries: list[Entry]) -> None:
        files, folders = self._layout(entries)
        for place, names, others in os.walk(self.files, topdown=False):
            for name in others:
                if Path(place, name) not in files:
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


def _write_notes(root: Path, notes: dict[str, list[Any]]) -> None:
    lines = "".join(f"{json.dumps([path, *note])}\n" for path, note in notes.items())
    write_atomically(root / "notes.jsonl", lines.encode())


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
