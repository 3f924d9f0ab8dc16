"""A set of files in a zip archive, which may be hostile."""

from __future__ import annotations

import posixpath
import stat
import zipfile
from functools import cached_property
from typing import TYPE_CHECKING

from imagine_lib.data.content import DAMAGED, ArchiveContent
from imagine_lib.data.readers.tree import ABSOLUTE, LEADS_OUT, Tree
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

MAX_MEMBERS = 1_000_000
"""Members that an archive may have."""


class ZipTree(Tree):
    """Files in a zip archive, read without unpacking it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        try:
            with zipfile.ZipFile(root) as archive:
                members = archive.infolist()
        except DAMAGED:
            raise DataError(f"{root} is a damaged archive: copy it again from its source.") from None
        if len(members) > MAX_MEMBERS:
            raise DataError(f"{root} has {len(members):,} members, which is no set of images: unpack what you need.")
        self._members = {_safe_name(root, member): member.filename for member in members if _is_file(member)}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All files, sorted."""
        return tuple(sorted(name for name in self._members if not _is_hidden(name)))

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """The folders right below the root."""
        return tuple(sorted({name.split("/")[0] for name in self.names if "/" in name}))

    @property
    def links(self) -> tuple[str, ...]:
        """What was left out because it is a link."""
        return ()

    def start(self, name: str, count: int = 2**16) -> bytes:
        """Return the first bytes of a file."""
        return self.content(name).start(count)

    def content(self, name: str) -> ArchiveContent:
        """Return where an image lies."""
        return ArchiveContent(self.root, self._members.get(name, name))

    def has(self, name: str) -> bool:
        """Tell whether there is a file of this name."""
        return name in self._members


def _is_file(member: zipfile.ZipInfo) -> bool:
    return not member.filename.endswith(("/", "\\")) and not stat.S_ISLNK(member.external_attr >> 16)


def _is_hidden(name: str) -> bool:
    return name.startswith("__MACOSX/") or any(part.startswith(".") for part in name.split("/"))


def _safe_name(root: Path, member: zipfile.ZipInfo) -> str:
    """Return a member's path as a set has it: programs on Windows write backslashes, others ``./`` before it."""
    name = member.filename.replace("\\", "/")
    if ABSOLUTE.match(name) or ".." in name.split("/"):
        raise DataError(f"{root} holds {member.filename!r}, which {LEADS_OUT}: pack the archive anew.")
    return posixpath.normpath(name)
