"""Makes a local folder and one in Nextcloud the same, and overwrites nothing that changed on both sides."""

from __future__ import annotations

import fcntl
import hashlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError, UsageError
from imagine_lib.storage.credentials import cache_folder
from imagine_lib.storage.filesystem import NextcloudFileSystem
from imagine_lib.storage.sync.deleting import delete_here, delete_there
from imagine_lib.storage.sync.pair import FolderPair
from imagine_lib.storage.sync.state import SyncState
from imagine_lib.storage.sync.transfer import download_all, upload_all

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from imagine_lib.storage.sync.comparing import Direction
    from imagine_lib.storage.sync.report import SyncReport


def sync(
    local: str | os.PathLike[str],
    uri: str,
    direction: Direction = "both",
    dry_run: bool = False,
    *,
    delete: bool = False,
    progress: Callable[[int, int], None] | None = None,
    filesystem: NextcloudFileSystem | None = None,
) -> SyncReport:
    """Make a local folder and one in Nextcloud the same.

    Parameters
    ----------
    local
        The folder here.
    uri
        The folder there, ``nextcloud:/path``.
    direction
        ``both``, or only ``up`` or ``down``.
    dry_run
        Say what would be done, and do nothing.
    delete
        Delete what was deleted on the other side since the last sync, and not changed on this one; what is deleted
        in Nextcloud goes to its trash. What one side cannot see is not deleted on the other.
    progress
        Called with the number of files done and to do.
    filesystem
        Whose storage; by default the signed-in user's.

    Returns
    -------
    SyncReport
        Conflicts in it were left alone on both sides.

    Raises
    ------
    UsageError
        The direction is none, or one of the paths is no folder.
    StorageError
        The storage does not answer; what was done until then is done. Or ``delete`` would delete what a side deleted
        that has none of its files any more: nothing was done.
    """
    if direction not in {"up", "down", "both"}:
        raise UsageError(f"A sync goes 'up', 'down' or 'both' ways, not {direction!r}.")
    root = Path(local).absolute()
    filesystem = filesystem or NextcloudFileSystem()
    path = filesystem._strip_protocol(uri)
    with _locked(filesystem, root, path) as place:
        state = SyncState.read(place)
        pair = FolderPair(filesystem.client, root, path, state)
        try:
            filesystem.run(_carry_out(pair, direction, dry_run, delete, progress))
        finally:
            if not dry_run:
                state.write()
    return pair.report


async def _carry_out(
    pair: FolderPair,
    direction: Direction,
    dry_run: bool,
    delete: bool,
    progress: Callable[[int, int], None] | None,
) -> None:
    report = pair.report
    report.dry_run = dry_run
    await pair.scan()
    plan = await pair.decide(direction, delete)
    if dry_run:
        report.uploaded, report.downloaded = plan.upload, plan.download
        report.deleted_here, report.deleted_there = plan.delete_here, plan.delete_there
        return
    pair.begin(sum(map(len, (plan.upload, plan.download, plan.delete_here, plan.delete_there))), progress)
    await download_all(pair, plan.download, plan.make_here)
    await delete_here(pair, plan.delete_here, plan.remove_here)
    await upload_all(pair, plan.upload, plan.make_there)
    await delete_there(pair, plan.delete_there, plan.remove_there)
    pair.remember()
    for paths in (report.uploaded, report.downloaded, report.conflicts):
        paths.sort()


@contextmanager
def _locked(filesystem: NextcloudFileSystem, root: Path, path: str) -> Iterator[Path]:
    """Give the file that keeps the state of a sync of these two folders, to one process at a time."""
    told = f"{filesystem.credential.user}@{filesystem.credential.url}\0{path}\0{root}"
    place = cache_folder() / "sync" / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(f"{root} is being synced by another program now: wait for it to end.") from None
        yield place
