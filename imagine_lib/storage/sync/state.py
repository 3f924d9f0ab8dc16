"""What a sync remembers of the one before: what was the same on both sides, and what it could not be sure of."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from imagine_lib.storage.transfer.local import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from imagine_lib.storage.transfer.local import Stamp

_SETS = ("folders", "mounts_here", "mounts_there", "doubtful")


@dataclass
class SyncState:
    """What both sides were when they were last the same, by path below the folder."""

    place: Path
    """The file that it is remembered in."""
    files: dict[str, tuple[str, Stamp]] = field(default_factory=dict)
    """The entity tag there and the stamp here, when both were the same."""
    folders: set[str] = field(default_factory=set)
    """Those that were on both sides."""
    mounts_here: set[str] = field(default_factory=set)
    """Folders that were disks of their own: one that is not mounted looks like one whose files were deleted."""
    mounts_there: set[str] = field(default_factory=set)
    """Likewise what was shared with the user: once withdrawn, it looks like deleted."""
    doubtful: set[str] = field(default_factory=set)
    """What a sync began to send, and was not told to be stored: it may be there damaged, its size and time right."""

    @classmethod
    def read(cls, place: Path) -> Self:
        """Read what was remembered; nothing, where that cannot be read."""
        try:
            told = json.loads(place.read_text(encoding="utf-8"))
            files = {path: (etag, (stamp[0], stamp[1])) for path, (etag, stamp) in told["files"].items()}
            return cls(place, files, *(set(told[name]) for name in _SETS))
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            return cls(place)

    def write(self) -> None:
        """Remember it."""
        told = {name: sorted(getattr(self, name)) for name in _SETS}
        write_atomically(self.place, json.dumps({"files": self.files, **told}).encode())

    def doubt(self, paths: Iterable[str]) -> None:
        """Remember, before anything is sent, that nobody knows yet what will be stored."""
        before = len(self.doubtful)
        self.doubtful.update(paths)
        if len(self.doubtful) > before:
            self.write()

    def keep(self, is_there: Callable[[str], bool]) -> None:
        """Forget what is on neither side: a file that comes back some day is a new one."""
        self.files = {path: what for path, what in self.files.items() if is_there(path)}
        self.folders = set(filter(is_there, self.folders))
        self.doubtful = set(filter(is_there, self.doubtful))
        self.mounts_here &= self.below(self.mounts_here).keys()
        self.mounts_there &= self.below(self.mounts_there).keys()

    def below(self, tops: set[str]) -> dict[str, list[str]]:
        """Return the files at or below each of some paths, where there are any; all are below the empty path."""
        found: dict[str, list[str]] = {}
        for path in self.files if tops else ():
            above = path
            while above:
                if above in tops:
                    found.setdefault(above, []).append(path)
                above = above.rpartition("/")[0]
            if "" in tops:
                found.setdefault("", []).append(path)
        return found
