"""Decides what a sync has to do: each file here and there against what both were when they were last the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.storage.sync.state import SyncState
    from imagine_lib.storage.transfer.local import Stamp
    from imagine_lib.storage.webdav.protocol import Entry

Direction = Literal["up", "down", "both"]


@dataclass
class LocalTree:
    """What lies in a local folder."""

    files: dict[str, tuple[Path, Stamp]] = field(default_factory=dict)
    """By path in composed form: where it is, and its size and times."""
    folders: set[str] = field(default_factory=set)
    """With the folder itself, as the empty path, if it is there."""
    mounts: set[str] = field(default_factory=set)
    """Folders that are disks of their own."""
    left_out: dict[str, str] = field(default_factory=dict)
    """What is not synced, and why."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """What cannot be looked at, and why."""
    hidden: set[str] = field(default_factory=set)
    """At and below these, nobody can tell what is here."""


@dataclass
class RemoteTree:
    """What lies in a folder of the storage."""

    files: dict[str, Entry] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    """With the folder itself, as the empty path, if it is there."""
    mounts: set[str] = field(default_factory=set)
    """What is shared with the user, or lies in a storage of its own."""


@dataclass
class Plan:
    """What is to be done, by path below the folder."""

    upload: list[str] = field(default_factory=list)
    download: list[str] = field(default_factory=list)
    delete_here: list[str] = field(default_factory=list)
    delete_there: list[str] = field(default_factory=list)
    compare: list[str] = field(default_factory=list)
    """Changed on both sides: the same change, or a conflict."""
    same: list[str] = field(default_factory=list)
    make_here: list[str] = field(default_factory=list)
    """Folders, like the following."""
    make_there: list[str] = field(default_factory=list)
    remove_here: list[str] = field(default_factory=list)
    """If nothing is in them any more."""
    remove_there: list[str] = field(default_factory=list)


def decide(
    here: LocalTree, there: RemoteTree, state: SyncState, hidden: set[str], direction: Direction, delete: bool
) -> Plan:
    """Compare both sides.

    Parameters
    ----------
    here, there
        What lies where.
    state
        What was the same the last time.
    hidden
        At and below these, one side cannot be seen, and nothing is done.
    direction
        Which way files may go.
    delete
        Whether what was deleted on one side, and is as it was on the other, is deleted there too.
    """
    plan = Plan()
    up, down = direction != "down", direction != "up"
    for path in sorted({*here.files, *there.files}):
        if is_below(path, hidden):
            continue
        mine, theirs, last = here.files.get(path), there.files.get(path), state.files.get(path)
        # A Nextcloud keeps the tag of what is written twice within a second, whatever its size.
        theirs_new = theirs is not None and (
            last is None or not theirs.etag or (theirs.etag, theirs.size) != (last[0], last[1][1])
        )
        if path in state.doubtful and (theirs is None or theirs_new):
            last = None
        mine_new = mine is not None and (last is None or mine[1] != last[1])
        if mine and theirs:
            if mine_new and theirs_new:
                plan.compare.append(path)
            elif mine_new and up:
                plan.upload.append(path)
            elif theirs_new and down:
                plan.download.append(path)
            elif not (mine_new or theirs_new):
                plan.same.append(path)
        elif mine:
            if last and delete and down and not mine_new:
                plan.delete_here.append(path)
            elif up:
                plan.upload.append(path)
        elif last and delete and up and not theirs_new:
            plan.delete_there.append(path)
        elif down:
            plan.download.append(path)
    for folder in sorted(here.folders ^ there.folders):
        if is_below(folder, hidden):
            continue
        deleted = delete and folder != "" and folder in state.folders
        if folder in here.folders:
            if deleted and down:
                plan.remove_here.append(folder)
            elif up:
                plan.make_there.append(folder)
        elif deleted and up:
            plan.remove_there.append(folder)
        elif down:
            plan.make_here.append(folder)
    return plan


def is_below(path: str, tops: set[str]) -> bool:
    """Tell whether a path is one of some others, or below one."""
    while tops and path:
        if path in tops:
            return True
        path = path.rpartition("/")[0]
    return False


def vanished(mounts: set[str], state: SyncState, seen: set[str]) -> set[str]:
    """Return those of some disks or shares that had files the last time, and show none of them now."""
    return {top for top, files in state.below(mounts).items() if seen.isdisjoint(files)}
