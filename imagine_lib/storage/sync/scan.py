"""What lies in a local folder, and what in it cannot be seen: no file counts as deleted because a look failed."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError, UsageError
from imagine_lib.storage.sync.comparing import LocalTree
from imagine_lib.storage.transfer.local import stamp_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_OURS = re.compile(r"\.arriving-[0-9a-f]{16}|\.writing-[a-z0-9_]{8}")


def scan(root: Path) -> LocalTree:
    """List a local folder; links and what is no file are left out.

    Raises
    ------
    UsageError
        It is no folder.
    StorageError
        It cannot be read.
    """
    here = LocalTree()
    waiting = [""]
    while waiting:
        top = waiting.pop()
        try:
            with os.scandir(root / top) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if top:
                _hide(here, root, top, error)
                here.folders.discard(_composed(top))
                continue
            if isinstance(error, FileNotFoundError):
                return here
            if isinstance(error, NotADirectoryError):
                raise UsageError(f"{root} is a file: sync the folder that it lies in.") from None
            raise StorageError(f"{root} cannot be read ({error.strerror}); nothing was synced.") from None
        if not top:
            here.folders.add("")
        waiting += _look_at(here, root, top, found)
    return here


def is_unfinished(path: str) -> bool:
    """Tell whether a file is one that this library was still writing; none of them is synced."""
    return bool(_OURS.fullmatch(path.rpartition("/")[2]))


def _look_at(here: LocalTree, root: Path, top: str, found: list[os.DirEntry[str]]) -> Iterator[str]:
    """Note what is in a folder; yield the folders in it."""
    for entry in found:
        plain = f"{top}/{entry.name}".lstrip("/")
        name = _composed(plain)
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError as error:
            _hide(here, root, plain, error)
            continue
        folder, file = stat.S_ISDIR(status.st_mode), stat.S_ISREG(status.st_mode)
        if not (folder or file):
            here.left_out[plain] = "it is a link" if entry.is_symlink() else "it is no file"
            here.hidden.add(name)
        elif any("\ud800" <= letter <= "\udfff" for letter in entry.name):
            here.left_out[os.fsencode(plain).decode("utf-8", "replace")] = "its name is no UTF-8"
        elif name in here.files or (file and name in here.folders):
            here.left_out[plain] = "another file has the same name, written in other letters of Unicode"
        elif folder:
            here.folders.add(name)
            if os.path.ismount(entry.path):
                here.mounts.add(name)
            yield plain
        elif not is_unfinished(plain):
            here.files[name] = Path(entry.path), stamp_of(status)


def _hide(here: LocalTree, root: Path, path: str, error: OSError) -> None:
    here.hidden.add(_composed(path))
    if isinstance(error, FileNotFoundError):
        here.left_out[path] = "it went away while the folder was looked at"
    else:
        here.unreadable[path] = f"{root / path} cannot be read ({error.strerror}) and was not synced; allow it first."


def _composed(path: str) -> str:
    return unicodedata.normalize("NFC", path)
