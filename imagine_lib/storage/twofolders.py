"""A local folder and one in Nextcloud: what differs, and the carrying of files between them.

A file is replaced only where it still is what it was when both sides were compared: there by the server's conditions
on a write, here by a last look before the new one takes its place.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError
from imagine_lib.storage import changing
from imagine_lib.storage.bulk import put_many
from imagine_lib.storage.comparing import Here, decide, look
from imagine_lib.storage.content import Content
from imagine_lib.storage.dav import Entry
from imagine_lib.storage.fetching import fetch_many
from imagine_lib.storage.listing import tree
from imagine_lib.storage.local import put_down, save, stamp_of
from imagine_lib.storage.reading import read
from imagine_lib.storage.refusals import Unavailable
from imagine_lib.storage.running import each
from imagine_lib.storage.syncreport import SyncReport
from imagine_lib.storage.wishes import Wish

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from imagine_lib.storage.client import Nextcloud
    from imagine_lib.storage.comparing import Direction, Known, Plan


class TwoFolders:
    """The two sides of a sync.

    Parameters
    ----------
    cloud, top
        The folder in Nextcloud, and whose.
    root
        The folder here.
    known
        What was the same the last time; brought up to date file by file.
    """

    def __init__(self, cloud: Nextcloud, root: Path, top: str, known: Known) -> None:
        self._cloud, self._root, self._top, self._known = cloud, root, top, known
        self._here, self._there = Here(), dict[str, Entry]()
        self._folders_there: list[str] = []
        self._progress: Callable[[int, int], None] | None = None
        self._done = self._todo = 0
        self.report = SyncReport()

    async def look(self) -> None:
        """List both sides."""
        self._here = look(self._root)
        self.report.left_out = self._here.left_out
        try:
            entries = await tree(self._cloud, self._top)
        except FileNotFoundError:
            return
        self._there = {self._below(entry.path): entry for entry in entries if not entry.folder}
        self._folders_there = [self._below(entry.path) for entry in entries if entry.folder]

    async def decide(self, direction: Direction, delete: bool) -> Plan:
        """Compare both sides; what changed on both is the same change, or a conflict."""
        plan = decide(self._here, self._there, self._known, direction, delete)

        async def settle(path: str) -> None:
            if await self._is_same(path):
                plan.same.append(path)
                self._known[path] = self._there[path].etag, self._here.files[path][1]
            else:
                self.report.conflicts.append(path)

        await each(plan.compare, settle, self._cloud.in_flight)
        self.report.unchanged = len(plan.same)
        return plan

    def count(self, todo: int, progress: Callable[[int, int], None] | None) -> None:
        """Begin to show progress."""
        self._todo, self._progress = todo, progress

    async def upload(self, paths: list[str]) -> None:
        """Carry files, and folders without any, to Nextcloud."""
        there = set(self._folders_there)
        await changing.make_all_folders(
            self._cloud, [self._remote(folder) for folder in {"", *self._here.folders} - there]
        )
        wishes = []
        for path in paths:
            theirs = self._there.get(path)
            try:
                content = Content.of(self._here.files[path][0])
            except StorageError as error:
                self._fail(path, error)
                continue
            wishes.append(Wish(self._remote(path), content, theirs is None, theirs.etag if theirs else ""))
        await put_many(self._cloud, wishes, self._uploaded, lambda wish, why: self._fail(self._below(wish.path), why))

    async def download(self, paths: list[str]) -> None:
        """Carry files, and folders without any, here."""
        for folder in self._folders_there:
            self._place(folder).mkdir(parents=True, exist_ok=True)

        def keep(entry: Entry, content: bytes) -> None:
            path = self._below(entry.path)
            try:
                put_down(self._place(path), content, _moment(entry), lambda: self._require_untouched(path))
                self._downloaded(path)
            except (StorageError, OSError) as error:
                self._fail(path, error)

        async def fetch(entry: Entry) -> None:
            path = self._below(entry.path)

            def check() -> None:
                self._require_untouched(path)

            try:
                await save(self._cloud, entry.path, self._place(path), entry.etag, _moment(entry), check)
                self._downloaded(path)
            except Unavailable:
                raise
            except (StorageError, OSError) as error:
                self._fail(path, error)

        wanted = [self._there[path] for path in paths]
        await fetch_many(self._cloud, self._top, list(self._there.values()), wanted, keep, fetch)

    def delete_here(self, paths: list[str]) -> None:
        """Delete local files that are as they were at the last sync."""
        for path in paths:
            try:
                self._require_untouched(path)
                self._place(path).unlink()
            except (StorageError, OSError) as error:
                self._fail(path, error)
                continue
            self._known.pop(path, None)
            self.report.deleted_here.append(path)

    async def delete_there(self, paths: list[str]) -> None:
        """Delete files in Nextcloud that are as they were at the last sync."""
        for path in paths:
            try:
                await changing.remove(self._cloud, self._remote(path), self._there[path].etag)
            except Unavailable:
                raise
            except (StorageError, OSError) as error:
                self._fail(path, error)
                continue
            self._known.pop(path, None)
            self.report.deleted_there.append(path)

    async def _is_same(self, path: str) -> bool:
        (place, (moment, size)), theirs = self._here.files[path], self._there[path]
        if size != theirs.size:
            return False
        if _moment(theirs) == moment // 10**9:
            return True
        found = await read(self._cloud, theirs.path)
        return hashlib.sha256(found.content).hexdigest() == Content.of(place).digest()

    def _uploaded(self, wish: Wish, etag: str) -> None:
        path = self._below(wish.path)
        self._known[path] = etag, self._here.files[path][1]
        self.report.uploaded.append(path)
        self._step()

    def _downloaded(self, path: str) -> None:
        self._known[path] = self._there[path].etag, stamp_of(self._place(path).stat())
        self.report.downloaded.append(path)
        self._step()

    def _fail(self, path: str, why: Exception) -> None:
        self.report.failed[path] = str(why)
        self._step()

    def _step(self) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, self._todo)

    def _require_untouched(self, path: str) -> None:
        """Look once more whether a local file is what was compared.

        Raises
        ------
        StorageError
            It is not.
        """
        place, (_, listed) = self._place(path), self._here.files.get(path, (None, None))
        try:
            now = stamp_of(place.lstat())
        except FileNotFoundError:
            now = None
        if now != listed:
            raise StorageError(f"{place} was changed meanwhile and was not overwritten; sync again.")

    def _place(self, path: str) -> Path:
        """Return where a file lies here.

        Raises
        ------
        StorageError
            Behind a link, which may lead out of the folder.
        """
        if path in self._here.files:
            return self._here.files[path][0]
        place = self._root / path
        for above in place.parents:
            if above == self._root:
                break
            if above.is_symlink():
                raise StorageError(f"{above} is a link, and a sync writes nothing behind one.")
        return place

    def _remote(self, path: str) -> str:
        return f"{self._top}/{path}".strip("/")

    def _below(self, path: str) -> str:
        return path[len(self._top) :].strip("/")


def _moment(entry: Entry) -> float | None:
    return entry.modified.timestamp() if entry.modified else None
