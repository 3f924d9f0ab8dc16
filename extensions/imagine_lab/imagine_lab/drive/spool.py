"""Uploads on their way: kept on local disk until they are whole, because a storage takes a file in one piece."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from imagine_lib.storage.credentials import cache_folder
from imagine_lib.storage.transfer.content import Content

from .refused import Refused

if TYPE_CHECKING:
    from .models import Model

FIRST, LAST = 1, -1
"""The numbers of an upload's first and last chunk."""

FORGOTTEN_SECONDS = 3600.0
"""After so long without a chunk, nobody waits for an upload any more: the browser was closed."""

LEFT_SECONDS = 86400.0
"""After so long without a chunk, no server that was killed has left its uploads for another one to go on with."""

SPARE = 512 * 1024**2
"""Bytes of the disk that uploads leave free: the user's other work needs them."""


@dataclass(frozen=True)
class Spooled(Content):
    """A file that has arrived. Whoever uploads it again finds at the storage what was sent of it."""

    sha256: str = ""

    @property
    def identity(self) -> str:
        """Tells this content from any other, wherever it lies."""
        return self.sha256

    def digest(self, name: str = "sha256") -> str:
        """Return the checksum, which was made while the file arrived."""
        return self.sha256 if name == "sha256" else super().digest(name)


@dataclass
class Upload:
    """A file that arrives."""

    file: Path
    etag: str
    """What the user agreed to replace, when the upload began."""
    size: int = 0
    following: int = FIRST
    """Number of the chunk that comes next."""
    storing: asyncio.Task[Model] | None = None
    """It is whole, and on its way into the storage."""
    forgetting: asyncio.TimerHandle | None = None
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def append(self, block: bytes) -> None:
        """Add a chunk; to be called in a thread."""
        with self.file.open("ab") as file:
            file.write(block)
        self._digest.update(block)
        self.size += len(block)

    def content(self) -> Spooled:
        """Return what has arrived."""
        found = Content.of(self.file)
        return Spooled(found.source, found.size, found.mtime, found.stamp, self._digest.hexdigest())


class Spool:
    """The uploads of this server. Its folder goes with it."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._uploads: dict[str, Upload] = {}

    async def take(self, key: str, number: int, block: bytes, name: str, etag: str) -> Upload:
        """Add a chunk to an upload.

        Parameters
        ----------
        key
            Which upload.
        number
            Of the chunk: ``FIRST``, 2, 3 and so on, and ``LAST``.
        block
            Its content.
        name
            The file's, for the user.
        etag
            What the user agrees to replace. What the first chunk says holds for all: the list, from which the later
            ones have it, goes on while the upload is on its way.

        Returns
        -------
        Upload
            What has arrived so far.

        Raises
        ------
        Refused
            Chunks are missing, or the local disk is full. The upload is forgotten then.
        """
        try:
            if number == FIRST:
                self.drop(key)
                self._uploads[key] = Upload(await asyncio.to_thread(self._file), etag)
            upload = self._uploads.get(key)
            if upload is not None and upload.storing and number == LAST:
                return upload
            if upload is None or upload.storing or number not in (upload.following, LAST):
                self.drop(key)
                raise Refused(HTTPStatus.CONFLICT, f"The upload of {name} was interrupted: upload it again.")
            upload.following += 1
            self._forget_later(key, upload)
            if shutil.disk_usage(upload.file.parent).free < len(block) + SPARE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            await asyncio.to_thread(upload.append, block)
        except OSError as error:
            self.drop(key)
            raise Refused(
                HTTPStatus.INSUFFICIENT_STORAGE,
                f"This server has no room left for {name} ({error.strerror}): free some disk space in your home, and "
                "upload it again.",
            ) from error
        return upload

    def drop(self, key: str) -> None:
        """Forget an upload."""
        upload = self._uploads.pop(key, None)
        if upload is not None:
            if upload.forgetting:
                upload.forgetting.cancel()
            upload.file.unlink(missing_ok=True)

    def _forget_later(self, key: str, upload: Upload) -> None:
        if upload.forgetting:
            upload.forgetting.cancel()
        upload.forgetting = asyncio.get_running_loop().call_later(FORGOTTEN_SECONDS, self._forget, key, upload)

    def _forget(self, key: str, upload: Upload) -> None:
        if upload.storing and not upload.storing.done():
            self._forget_later(key, upload)
        else:
            self.drop(key)

    def _file(self) -> Path:
        if self._folder is None:
            # In the home and not in /tmp, which may be memory, and whose owner the user does not know.
            place = cache_folder() / "uploads"
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            _clear(place)
            self._folder = tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True)
        with tempfile.NamedTemporaryFile(dir=self._folder.name, delete=False) as file:
            return Path(file.name)


def _clear(place: Path) -> None:
    """Remove what servers have left that were killed."""
    for folder in place.iterdir():
        with contextlib.suppress(OSError):
            latest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            if latest < time.time() - LEFT_SECONDS:
                shutil.rmtree(folder)
