"""The model store: files named by their SHA-256, in a folder or on any filesystem that fsspec reaches.

A file is written under ``incoming/`` and moved to ``blobs/ab/abcdef…`` once its hash is right, so that whatever
lies under ``blobs/`` is whole. Writing a file again replaces it by the same content, which repairs a damaged one.
"""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import os
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from hub_config.platform.errors import Full, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

CHUNK = 1024 * 1024
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class BlobStore:
    """A content-addressed store.

    Parameters
    ----------
    location
        A folder or an fsspec URL.
    """

    def __init__(self, location: str) -> None:
        # without a listings cache: another process's upload must be seen at once
        self._filesystem, self._root = url_to_fs(location, use_listings_cache=False)

    def incoming(self) -> Incoming:
        """Begin to write a file whose hash is not sure yet."""
        with _told():
            return Incoming(self._filesystem, self._root)

    def size(self, sha256: str) -> int | None:
        """Return a file's size in bytes; None where there is no such file."""
        try:
            with _told():
                return int(self._filesystem.info(_path(self._root, sha256))["size"])
        except FileNotFoundError:
            return None

    def read(self, sha256: str) -> Iterator[bytes]:
        """Yield a file's content.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        Unavailable
            The store does not answer.
        """
        with _told(), self._filesystem.open(_path(self._root, sha256), "rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def sweep(self, older_than: float) -> int:
        """Remove what uploads that were killed have left; return how many.

        Parameters
        ----------
        older_than
            Seconds; a younger upload may still be running.
        """
        with _told():
            left = self._filesystem.ls(f"{self._root}/incoming", detail=False) if self._has_incoming() else []
            old = [path for path in left if _begun(path) < time.time() - older_than]
            for path in old:
                self._filesystem.rm_file(path)
        return len(old)

    def _has_incoming(self) -> bool:
        return bool(self._filesystem.isdir(f"{self._root}/incoming"))


class Incoming:
    """A file on its way in: either kept whole under its hash, or discarded."""

    def __init__(self, filesystem: Any, root: str) -> None:
        self._filesystem = filesystem
        self._root = root
        self._path = f"{root}/incoming/{int(time.time())}-{uuid.uuid4().hex}"
        self._hash = hashlib.sha256()
        self.size = 0
        filesystem.makedirs(f"{root}/incoming", exist_ok=True)
        self._file = filesystem.open(self._path, "wb")
        self._done = False

    @property
    def sha256(self) -> str:
        """The hash of what was written so far."""
        return self._hash.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Add to the file."""
        with _told():
            self._file.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)

    def keep(self) -> None:
        """Put the file, whole and on the disk, where its hash says."""
        final = _path(self._root, self.sha256)
        with _told():
            self._file.flush()
            _sync(self._file)
            self._file.close()
            self._filesystem.makedirs(final.rpartition("/")[0], exist_ok=True)
            if isinstance(self._filesystem, LocalFileSystem):
                Path(self._path).replace(final)  # fsspec's own may fall back to a copy, seen half done
            else:
                self._filesystem.mv(self._path, final)
        self._done = True

    def discard(self) -> None:
        """Remove the file, unless it was kept."""
        if self._done:
            return
        self._done = True
        with suppress(OSError, ValueError):  # on a full disk even closing fails
            self._file.close()
        with suppress(OSError):
            self._filesystem.rm_file(self._path)


def _path(root: str, sha256: str) -> str:
    return f"{root}/blobs/{sha256[:2]}/{sha256}"


def _begun(path: str) -> int:
    begun = path.rpartition("/")[2].partition("-")[0]
    return int(begun) if begun.isdigit() else 0


def _sync(file: Any) -> None:
    try:
        number = file.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return  # no file of this machine's
    os.fsync(number)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        log.exception("The model store failed")
        if error.errno in NO_ROOM:
            raise Full("The model store is full and nothing was kept: tell the operators, then try again.") from error
        raise Unavailable("The model store does not answer at the moment: try again in a minute.") from error
