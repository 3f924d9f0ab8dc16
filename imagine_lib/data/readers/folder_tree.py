"""A set of files in a folder."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from imagine_lib.data.content import FileContent
from imagine_lib.data.readers.tree import LEADS_OUT, Tree
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


class FolderTree(Tree):
    """Files in a folder; each of its folders is listed once."""

    def __init__(self, root: Path, file: str | None = None) -> None:
        super().__init__(root, file)
        self._real = root.resolve()
        self._listed: dict[str, dict[str, bool]] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All files, sorted."""
        return tuple(sorted(name for name, linked in self._walked if not linked or self._is_file_inside(name)))

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """The folders right below the root."""
        found = (path.name for path in self.root.iterdir() if path.is_dir() and not path.is_symlink())
        return tuple(sorted(name for name in found if not name.startswith(".")))

    @property
    def links(self) -> tuple[str, ...]:
        """What was left out because it is a link."""
        return tuple(sorted({name for name, _ in self._walked} - {*self.names}))

    def start(self, name: str, count: int = 2**16) -> bytes:
        """Return the first bytes of a file."""
        path = self.root / name
        try:
            if not path.is_file():
                raise DataError(f"{path} cannot be read: it is no file.")
            with path.open("rb") as file:
                return file.read(count)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {(error.strerror or 'unknown error').lower()}.") from None

    def size(self, name: str) -> int:
        """Return how many bytes a file has; 0 where it cannot be read."""
        try:
            return (self.root / name).stat().st_size
        except OSError:
            return 0

    def content(self, name: str) -> FileContent:
        """Return where an image lies."""
        return FileContent(self.root / name)

    def has(self, name: str) -> bool:
        """Tell whether there is a file of this name."""
        folder, _, base = name.rpartition("/")
        if folder not in self._listed:
            self._listed[folder] = self._list(folder)
        linked = self._listed[folder].get(base)
        if linked and not self._inside(name):
            raise DataError(f"{self.place(name)} is a link that {LEADS_OUT}: copy the file itself there.")
        return linked is not None

    @cached_property
    def _walked(self) -> list[tuple[str, bool]]:
        """Every file that is not hidden, and every link to a folder, which is not followed; whether it is a link."""
        found: list[tuple[str, bool]] = []
        waiting = [""]
        while waiting:
            prefix = waiting.pop()
            with suppress(OSError), os.scandir(self.root / prefix) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{prefix}{entry.name}/")
                    else:
                        found.append((f"{prefix}{entry.name}", entry.is_symlink()))
        return found

    def _list(self, folder: str) -> dict[str, bool]:
        """Tell of each file in a folder whether it is a link."""
        if not self._inside(folder):
            raise DataError(f"{self.place(folder)} is a link that {LEADS_OUT}: copy the folder itself there.")
        try:
            with os.scandir(self.root / folder) as entries:
                return {entry.name: entry.is_symlink() for entry in entries if not entry.is_dir()}
        except OSError:
            return {}

    def _is_file_inside(self, name: str) -> bool:
        return not (self.root / name).is_dir() and self._inside(name)

    def _inside(self, name: str) -> bool:
        try:
            return (self.root / name).resolve().is_relative_to(self._real)
        except (OSError, RuntimeError, ValueError):  # a ring of links, or a name that no file can have
            return False
