"""Makes a local folder and one in Nextcloud the same, and overwrites nothing that changed on both sides."""

from __future__ import annotations

import fcntl
import hashlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError, UsageError
from imagine_lib.storage.carrying import download, upload
from imagine_lib.storage.credentials import cache_folder
from imagine_lib.storage.deleting import delete_here, delete_there
from imagine_lib.storage.filesystem import NextcloudFileSystem
from imagine_lib.storage.known import Known
from imagine_lib.storage.twofolders import TwoFolders

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from imagine_lib.storage.comparing import Direction
    from imagine_lib.storage.syncreport import SyncReport


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
    with _state(filesystem, root, path) as state:
        known = Known.read(state)
        two = TwoFolders(filesystem.client, root, path, known)
        try:
            filesystem.run(_carry_out(two, direction, dry_run, delete, progress))
        finally:
            if not dry_run:
                known.write()
    return two.report


async def _carry_out(
    two: TwoFolders,
    direction: Direction,
    dry_run: bool,
    delete: bool,
    progress: Callable[[int, int], None] | None,
) -> None:
    report = two.report
    report.dry_run = dry_run
    await two.look()
    plan = await two.decide(direction, delete)
    if dry_run:
        report.uploaded, report.downloaded = plan.upload, plan.download
        report.deleted_here, report.deleted_there = plan.delete_here, plan.delete_there
        return
    two.begin(sum(map(len, (plan.upload, plan.download, plan.delete_here, plan.delete_there))), progress)
    await download(two, plan.download, plan.make_here)
    await delete_here(two, plan.delete_here, plan.remove_here)
    await upload(two, plan.upload, plan.make_there)
    await delete_there(two, plan.delete_there, plan.remove_there)
    two.remember()
    for paths in (report.uploaded, report.downloaded, report.conflicts):
        paths.sort()


@contextmanager
def _state(filesystem: NextcloudFileSystem, root: Path, path: str) -> Iterator[Path]:
    """Give the file that remembers the last sync of these two folders, to one process at a time."""
    told = f"{filesystem.credential.user}@{filesystem.credential.url}\0{path}\0{root}"
    state = cache_folder() / "sync" / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.json"
    state.parent.mkdir(parents=True, exist_ok=True)
    with state.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(f"{root} is being synced by another program now: wait for it to end.") from None
        yield state
