"""Tells a conflict from the same change on both sides: by size and time, or else by content."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError
from imagine_lib.storage.errors import Unavailable
from imagine_lib.storage.transfer.content import Content
from imagine_lib.storage.transfer.download_many import download_many
from imagine_lib.storage.transfer.reading import download

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.storage.sync.comparing import Plan
    from imagine_lib.storage.sync.pair import FolderPair
    from imagine_lib.storage.webdav.protocol import Entry


async def find_conflicts(pair: FolderPair, plan: Plan) -> None:
    """Compare files that changed on both sides.

    A file that was being sent when a sync failed is compared by content, whatever its size and time say: a network
    that damages what it carries leaves both as they should be.
    """
    unsure = []
    for path in plan.compare:
        (_, (moment, size)), theirs = pair.here.files[path], pair.there.files[path]
        if size != theirs.size:
            pair.report.conflicts.append(path)
        elif path in pair.state.doubtful or moment // 10**9 != (theirs.modified and theirs.modified.timestamp()):
            unsure.append(theirs)
        else:
            _note_same(pair, plan, path)
    if unsure:
        folder = pair.state.place.with_suffix(".compared")
        folder.mkdir(exist_ok=True)
        try:
            await _compare(pair, plan, unsure, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


async def _compare(pair: FolderPair, plan: Plan, unsure: list[Entry], folder: Path) -> None:
    """Compare contents: what the storage holds comes to a folder of its own, or into memory where it is small."""

    def compare(entry: Entry, theirs: Content) -> None:
        path = pair.below(entry.path)
        try:
            same = Content.of(pair.here.files[path][0]).digest() == theirs.digest()
        except StorageError as error:
            pair.fail(path, error)
            return
        if same:
            _note_same(pair, plan, path)
        else:
            pair.report.conflicts.append(path)

    async def fetch(entry: Entry) -> None:
        copy = folder / hashlib.sha256(entry.path.encode()).hexdigest()
        try:
            await download(pair.cloud, entry.path, copy, entry.etag)
            await asyncio.to_thread(compare, entry, Content.of(copy))
        except Unavailable:
            raise
        except (StorageError, OSError) as error:
            pair.fail(pair.below(entry.path), error)
        finally:
            copy.unlink(missing_ok=True)

    files = list(pair.there.files.values())
    await download_many(
        pair.cloud, pair.top, files, unsure, lambda entry, found: compare(entry, Content.of(found)), fetch
    )


def _note_same(pair: FolderPair, plan: Plan, path: str) -> None:
    plan.same.append(path)
    pair.state.files[path] = pair.there.files[path].etag, pair.here.files[path][1]
    pair.state.doubtful.discard(path)
