"""A local folder and one in Nextcloud: what lies in both, what differs, and what becomes of each file.

A file is replaced or deleted only where it still is what it was when both sides were compared: there by the server's
conditions on a write, here by a last look. What one side cannot see is left alone on the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError, UsageError
from imagine_lib.storage.sync.comparing import LocalTree, RemoteTree, decide, is_below, vanished
from imagine_lib.storage.sync.conflicts import find_conflicts
from imagine_lib.storage.sync.report import SyncReport
from imagine_lib.storage.sync.scan import is_unfinished, scan
from imagine_lib.storage.transfer.local import stamp_of
from imagine_lib.storage.webdav.listing import tree
from imagine_lib.storage.webdav.protocol import shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from imagine_lib.storage.sync.comparing import Direction, Plan
    from imagine_lib.storage.sync.state import SyncState
    from imagine_lib.storage.webdav.client import Nextcloud


class FolderPair:
    """The two sides of a sync.

    Parameters
    ----------
    cloud, top
        The folder in Nextcloud, and whose.
    root
        The folder here.
    state
        What was the same the last time; brought up to date file by file.
    """

    def __init__(self, cloud: Nextcloud, root: Path, top: str, state: SyncState) -> None:
        self.cloud, self.root, self.top, self.state = cloud, root, top, state
        self.here, self.there, self.hidden = LocalTree(), RemoteTree(), set[str]()
        self.report = SyncReport()
        self._progress: Callable[[int, int], None] | None = None
        self._done = self._todo = 0

    async def scan(self) -> None:
        """List both sides.

        Raises
        ------
        UsageError
            One of them is a file.
        StorageError
            One of them cannot be listed.
        """
        self.here = scan(self.root)
        self.report.left_out = self.here.left_out
        self.report.failed |= self.here.unreadable
        try:
            entries = await tree(self.cloud, self.top, mounts=True)
        except FileNotFoundError:
            return
        if not entries[0].folder:
            raise UsageError(f"{shown(self.top)} is a file: sync the folder that it lies in.")
        self.there = RemoteTree(
            {self.below(one.path): one for one in entries if not (one.folder or is_unfinished(one.path))},
            {self.below(one.path) for one in entries if one.folder},
        )
        mounted = {self.below(one.path) for one in entries if one.mount}
        self.there.mounts = {path for path in mounted if path and path.rpartition("/")[0] not in mounted}

    async def decide(self, direction: Direction, delete: bool) -> Plan:
        """Compare both sides; what changed on both is the same change, or a conflict.

        Raises
        ------
        StorageError
            One side shows nothing of what it had, and files would be deleted for that.
        """
        self._hide(delete)
        plan = decide(self.here, self.there, self.state, self.hidden, direction, delete)
        if plan.delete_there and vanished({""}, self.state, {*self.here.files}):
            raise StorageError(f"{self.root} {_NONE_LEFT}.")
        if plan.delete_here and vanished({""}, self.state, {*self.there.files}):
            raise StorageError(f"{shown(self.top)} {_NONE_LEFT}.")
        await find_conflicts(self, plan)
        self.report.unchanged = len(plan.same)
        return plan

    def begin(self, todo: int, progress: Callable[[int, int], None] | None) -> None:
        """Begin to show progress."""
        self._todo, self._progress = todo, progress

    def step(self) -> None:
        """Count a file, whatever became of it."""
        self._done += 1
        if self._progress:
            self._progress(self._done, self._todo)

    def fail(self, path: str, why: Exception) -> None:
        """Note what could not be done."""
        system = why.strerror if isinstance(why, OSError) else None
        self.report.failed[path] = f"{self.root / path} could not be changed ({system})." if system else str(why)

    def remember(self) -> None:
        """Note what both sides hold now, for the next sync."""
        here, there = {*self.here.files, *self.here.folders}, {*self.there.files, *self.there.folders}
        self.state.folders |= self.here.folders & self.there.folders
        self.state.mounts_here |= self.here.mounts
        self.state.mounts_there |= self.there.mounts
        self.state.keep(lambda path: path in here or path in there or is_below(path, self.hidden))

    def require_untouched(self, path: str) -> None:
        """Look once more whether a local file is what was compared.

        Raises
        ------
        StorageError
            It is not.
        """
        place, (_, listed) = self.place(path), self.here.files.get(path, (None, None))
        try:
            now = stamp_of(place.lstat())
        except FileNotFoundError:
            now = None
        if now != listed:
            raise StorageError(f"{place} was changed meanwhile and was not overwritten; sync again.")

    def place(self, path: str) -> Path:
        """Return where a file lies here.

        Raises
        ------
        StorageError
            Behind a link, which may lead out of the folder.
        """
        if path in self.here.files:
            return self.here.files[path][0]
        place = self.root / path
        for above in place.parents:
            if above == self.root:
                break
            if above.is_symlink():
                raise StorageError(f"{above} is a link, and a sync writes nothing behind one.")
        return place

    def remote(self, path: str) -> str:
        """Return where a file lies there."""
        return f"{self.top}/{path}".strip("/")

    def below(self, path: str) -> str:
        """Return a path there as one below the folder."""
        return path[len(self.top) :].strip("/")

    def _hide(self, delete: bool) -> None:
        """Leave alone what only one side can see, and what is a file on one and a folder on the other."""
        self.hidden |= self.here.hidden
        here, there = self.here, self.there
        for path in (here.files.keys() & there.folders) | (here.folders & there.files.keys()):
            self.hidden.add(path)
            kinds = ("file", "folder") if path in here.files else ("folder", "file")
            told = f"{self.root / path} is a {kinds[0]}, and {shown(self.remote(path))} is a {kinds[1]}"
            self.fail(path, StorageError(f"{told}; give one of them another name."))
        if delete:
            for path in vanished(self.state.mounts_here, self.state, {*here.files}) - self.hidden:
                self.hidden.add(path)
                self.fail(path, StorageError(f"{self.root / path} {_NONE_LEFT}."))
            for path in vanished(self.state.mounts_there, self.state, {*there.files}) - self.hidden:
                self.hidden.add(path)
                self.fail(path, StorageError(f"{shown(self.remote(path))} {_NONE_LEFT}."))


_NONE_LEFT = (
    "has none of the files that the last sync left there, so nothing was deleted for that: "
    "bring the disk, folder or share back, or sync once without delete"
)
