"""The files on disk: ``data/USER/files/…``, ordinary files that an operator can look at.

Nothing is remembered about a file's state: every listing looks at the disk, so a file changed behind the server is
listed right. An entity tag is a digest of inode, size, modification time and change time; a folder's is a digest of
what is below it, found by walking the tree (about 1 ms for 300 files), so it changes when anything below changes and
needs no bookkeeping that could go wrong. Of the files in a folder of more than ten thousand only the names and the
folder's own times are looked at: uploads and removals change them, a change in place behind the server does not. Two
uploads can never share a tag: an upload's modification time gets the wall clock's nanoseconds below its full second.

What is not a regular file or folder (symbolic links above all) does not exist here: it is neither listed nor
followed. Writes go to ``incoming/`` and are renamed into place, so a file is there whole or not at all.
"""

from __future__ import annotations

import itertools
import shutil
import stat
import unicodedata
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import disk as on_disk

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from .disk import Totals


@dataclass(frozen=True, slots=True)
class Node:
    """A file or folder that was there a moment ago; ``path`` begins below its owner's home, which is ``""``."""

    owner: str
    path: str
    disk: str
    stat: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.stat.st_mode)

    @property
    def folder(self) -> str:
        """The path of the folder it lies in."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """Its last segment."""
        return self.path.rpartition("/")[2]

    @property
    def stamp(self) -> str:
        """What changes with the content and survives a rename."""
        return on_disk.stamp(self.stat)

    @property
    def etag(self) -> str:
        """A file's entity tag."""
        return on_disk.etag(self.stat)


class Homes:
    """All users' homes."""

    def __init__(self, state: Path, skeleton: Path | None) -> None:
        self._data = state / "data"
        self._incoming = state / "incoming"
        self._skeleton = skeleton
        self._drafts = itertools.count()
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._data.mkdir(parents=True, exist_ok=True)
        self._incoming.mkdir()

    def provide(self, owner: str, *, empty: bool = False) -> None:
        """Make the home of a new user, with the skeleton in it unless it is to be empty."""
        home = self._data / owner / "files"
        if home.is_dir():
            return
        home.parent.mkdir(parents=True, exist_ok=True)
        with self.draft() as draft:
            if self._skeleton and not empty:
                on_disk.copy(str(self._skeleton), draft)
            else:
                draft.mkdir()
            with suppress(FileExistsError):
                draft.rename(home)

    def disk(self, owner: str, path: str) -> str:
        """Return where a path lies on disk, whether or not anything is there."""
        return str(self._data / owner / "files" / path)

    def find(self, owner: str, path: str) -> Node | None:
        """Look a path up, segment by segment, so that no link is ever followed."""
        disk = self.disk(owner, "")
        status = on_disk.look(disk)
        for name in path.split("/") if path else ():
            if status is None or not stat.S_ISDIR(status.st_mode):
                return None
            disk, status = on_disk.member(disk, name)
        return Node(owner, path, disk, status) if status else None

    def names(self, node: Node) -> list[str]:
        """Return the names in a folder, as the disk spells them."""
        return on_disk.names(node.disk)

    def member(self, folder: Node, name: str) -> Node | None:
        """Look up what lies in a folder by a name of ``names``."""
        disk = f"{folder.disk}/{name}"
        status = on_disk.look(disk)
        if status is None:
            return None
        name = unicodedata.normalize("NFC", name)
        return Node(folder.owner, f"{folder.path}/{name}" if folder.path else name, disk, status)

    def totals(self, node: Node, known: dict[str, Totals]) -> Totals:
        """Walk a folder; ``known`` keeps what was found by disk path, for the next question of the same request."""
        return on_disk.totals(node.disk, node.stat, known)

    def tag(self, node: Node, known: dict[str, Totals]) -> str:
        """Return a folder's entity tag alone."""
        return on_disk.folder_tag(node.disk, node.stat, known)

    def depth(self, node: Node) -> int:
        """Count the levels of folders in a folder, itself included."""
        deepest, waiting = 0, [(node.disk, 1)] if node.is_folder else []
        while waiting:
            disk, level = waiting.pop()
            deepest = max(deepest, level)
            waiting += [(path, level + 1) for _, path, status in on_disk.scan(disk) if stat.S_ISDIR(status.st_mode)]
        return deepest

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """Lend a free path outside all homes; what is still there at the end is removed."""
        draft = self._incoming / f"{next(self._drafts)}.draft"
        try:
            yield draft
        finally:
            on_disk.remove(draft)

    def copy(self, node: Node, target: Path) -> None:
        """Copy a file or a tree."""
        on_disk.copy(node.disk, target)

    def place(self, draft: Path | str, disk: str) -> None:
        """Rename a draft to its place; a file that was there is gone in the same moment, a folder is not replaced."""
        Path(draft).replace(disk)

    def remove(self, node: Node) -> None:
        """Remove a file or a tree: gone for clients at once, whatever the tree's size."""
        with self.draft() as grave:
            Path(node.disk).rename(grave)
