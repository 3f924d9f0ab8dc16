"""The files of a set, in a folder or a zip archive, so that no reader need know which.

A path that a set's own files give is followed only where it stays within the set: a set may come from a stranger.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

from imagine_lib.data.images import SUFFIXES
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.data.content import Content

MAX_TEXT = 1_000_000_000
"""Bytes that a text file of a set may have: the tables of 300,000 images have a third of it."""

LEADS_OUT = "leads out of the set"

ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:[/\\]")
"""How a path begins that is not relative to anything, here and on Windows."""


def composed(text: str) -> str:
    """Return a text with each accented letter as one character, whichever way it was written (Unicode's NFC)."""
    return unicodedata.normalize("NFC", text)


class Tree(ABC):
    """The files of a set; their names are their paths below its root, with ``/``."""

    def __init__(self, root: Path, file: str | None = None) -> None:
        self.root = root
        """What messages call the set: the folder or the archive."""
        self.file = file
        """The one file that was named, where it was a file and no archive; then ``root`` is its folder."""

    @cached_property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """All files, sorted; what is hidden, links to folders, and links that lead out of the set are left out."""

    @cached_property
    @abstractmethod
    def folders(self) -> tuple[str, ...]:
        """The folders right below the root, sorted, without hidden ones and links."""

    @property
    @abstractmethod
    def links(self) -> tuple[str, ...]:
        """The links that were left out, sorted: to folders, and to files outside of the set."""

    @abstractmethod
    def start(self, name: str, count: int = 2**16) -> bytes:
        """Return the first bytes of a file.

        Raises
        ------
        DataError
            It cannot be read.
        """

    def read(self, name: str) -> bytes:
        """Return what a file holds.

        Raises
        ------
        DataError
            It cannot be read, or has more than ``MAX_TEXT`` bytes.
        """
        content = self.start(name, MAX_TEXT + 1)
        if len(content) > MAX_TEXT:
            raise DataError(f"{self.place(name)} has more than {MAX_TEXT // 1_000_000} MB: divide it.")
        return content

    @abstractmethod
    def content(self, name: str) -> Content:
        """Return where the bytes of an image lie; it need not exist."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Tell whether there is a file of this name.

        Raises
        ------
        DataError
            It is a link that leads out of the set.
        """

    @property
    def location(self) -> str:
        """What the user named: the folder, the archive or the file."""
        return str(self.root) if self.file is None else self.place(self.file)

    def place(self, name: str) -> str:
        """Return a file as messages name it."""
        return f"{self.root}/{name}"

    def files(self, *suffixes: str) -> list[str]:
        """Return the names that end so, whatever their case; of a set that is one file, this one only."""
        names = self.names if self.file is None else (self.file,)
        return [name for name in names if name.lower().endswith(suffixes)]

    @cached_property
    def images(self) -> list[str]:
        """The names of all images, sorted."""
        return [name for name in self.names if posixpath.splitext(name)[1].lower() in SUFFIXES]

    def find(self, path: str, said_by: str, *bases: str) -> tuple[str, bool]:
        """Return the name of the file that a path means, and whether it exists.

        Parameters
        ----------
        path
            As a file of the set gives it; backslashes are read as ``/`` where there is no file with one in its name.
        said_by
            The file that gives it.
        bases
            Folders that it may be relative to; the first in which it exists counts, else the first.

        Raises
        ------
        DataError
            It leads out of the set.
        """
        for spelled in dict.fromkeys((path, path.replace("\\", "/"))):
            for base in bases:
                name = self._within(base, spelled, said_by)
                if self.has(name):
                    return name, True
                if not name.isascii() and composed(name) in self._composed:
                    return self._composed[composed(name)], True
        return self._within(bases[0], path.replace("\\", "/"), said_by), False

    @cached_property
    def _composed(self) -> dict[str, str]:
        """The names with letters beyond ASCII by their composed spelling: a Mac's archive has é as two characters."""
        return {composed(name): name for name in self.names if not name.isascii()}

    def _within(self, base: str, path: str, said_by: str) -> str:
        name = posixpath.normpath(posixpath.join(base, path))
        if ABSOLUTE.match(path) or name in (".", "..") or name.startswith("../") or "\0" in path:
            raise DataError(
                f"{said_by} names {path!r}, which {LEADS_OUT}: write paths below the folder of the images."
            )
        return name
