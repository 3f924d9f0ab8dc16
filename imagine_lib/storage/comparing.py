"""Decides what a sync has to do: each file here and there against what both were when they were last the same."""

from __future__ import annotations

import os
import stat
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imagine_lib.storage.local import ARRIVING, Stamp, stamp_of

if TYPE_CHECKING:
    from imagine_lib.storage.dav import Entry

Direction = Literal["up", "down", "both"]
Known = dict[str, tuple[str, Stamp]]
"""By path: the entity tag there and the stamp here, when both were the same."""


@dataclass
class Here:
    """What lies in a local folder."""

    files: dict[str, tuple[Path, Stamp]] = field(default_factory=dict)
    """By path in composed form: where it is, and its size and times."""
    folders: set[str] = field(default_factory=set)
    left_out: dict[str, str] = field(default_factory=dict)
    """What is not synced, and why."""


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


def look(root: Path) -> Here:
    """List a local folder; links and what is no file are left out."""
    here = Here()
    for place, names, others in os.walk(root):
        for name in sorted(names):
            path = Path(place, name)
            if path.is_symlink():
                here.left_out[path.relative_to(root).as_posix()] = "it is a link"
            else:
                here.folders.add(unicodedata.normalize("NFC", path.relative_to(root).as_posix()))
        for name in sorted(others):
            if not name.startswith((ARRIVING, ".writing-")):
                _look_at(here, root, Path(place, name))
    return here


def decide(here: Here, there: dict[str, Entry], known: Known, direction: Direction, delete: bool) -> Plan:
    """Compare both sides.

    Parameters
    ----------
    here, there
        What lies where; folders there do not matter.
    known
        What was the same the last time.
    direction
        Which way files may go.
    delete
        Whether what was deleted on one side, and is as it was on the other, is deleted there too.
    """
    plan = Plan()
    up, down = direction != "down", direction != "up"
    for path in sorted({*here.files, *there}):
        mine, theirs, last = here.files.get(path), there.get(path), known.get(path)
        mine_new = mine is not None and (last is None or mine[1] != last[1])
        # A Nextcloud keeps the tag of what is written twice within a second, whatever its size.
        theirs_new = theirs is not None and (last is None or (theirs.etag, theirs.size) != (last[0], last[1][1]))
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
    return plan


def _look_at(here: Here, root: Path, path: Path) -> None:
    plain = path.relative_to(root).as_posix()
    name = unicodedata.normalize("NFC", plain)
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        here.left_out[plain] = "it is a link" if stat.S_ISLNK(status.st_mode) else "it is no file"
    elif name in here.files:
        here.left_out[plain] = "another file has the same name, written in other letters of Unicode"
    elif not name.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in name):
        here.left_out[plain.encode("utf-8", "replace").decode()] = "its name is no UTF-8"
    else:
        here.files[name] = path, stamp_of(status)
