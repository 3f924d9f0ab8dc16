"""Tells a conflict from the same change on both sides: by size and time, or else by content."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError
from imagine_lib.storage.content import Content
from imagine_lib.storage.fetching import fetch_many
from imagine_lib.storage.reading import download
from imagine_lib.storage.refusals import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.storage.comparing import Plan
    from imagine_lib.storage.dav import Entry
    from imagine_lib.storage.twofolders import TwoFolders


async def settle(two: TwoFolders, plan: Plan) -> None:
    """Compare files that changed on both sides.

    A file that was being sent when a sync failed is compared by content, whatever its size and time say: a network
    that damages what it carries leaves both as they should be.
    """
    unsure = []
    for path in plan.compare:
        (_, (moment, size)), theirs = two.here.files[path], two.there.files[path]
        if size != theirs.size:
            two.report.conflicts.append(path)
        elif path in two.known.doubtful or moment // 10**9 != (theirs.modified and theirs.modified.timestamp()):
            unsure.append(theirs)
        else:
            _note_same(two, plan, path)
    if unsure:
        folder = two.known.place.with_suffix(".compared")
        folder.mkdir(exist_ok=True)
        try:
            await _compare(two, plan, unsure, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


async def _compare(two: TwoFolders, plan: Plan, unsure: list[Entry], folder: Path) -> None:
    """Compare contents: what the storage holds comes to a folder of its own, or into memory where it is small."""

    def compare(entry: Entry, theirs: Content) -> None:
        path = two.below(entry.path)
        try:
            same = Content.of(two.here.files[path][0]).digest() == theirs.digest()
        except StorageError as error:
            two.fail(path, error)
            return
        if same:
            _note_same(two, plan, path)
        else:
            two.report.conflicts.append(path)

    async def fetch(entry: Entry) -> None:
        copy = folder / hashlib.sha256(entry.path.encode()).hexdigest()
        try:
            await download(two.cloud, entry.path, copy, entry.etag)
            await asyncio.to_thread(compare, entry, Content.of(copy))
        except Unavailable:
            raise
        except (StorageError, OSError) as error:
            two.fail(two.below(entry.path), error)
        finally:
            copy.unlink(missing_ok=True)

    files = list(two.there.files.values())
    await fetch_many(two.cloud, two.top, files, unsure, lambda entry, found: compare(entry, Content.of(found)), fetch)


def _note_same(two: TwoFolders, plan: Plan, path: str) -> None:
    plan.same.append(path)
    two.known.files[path] = two.there.files[path].etag, two.here.files[path][1]
    two.known.doubtful.discard(path)
