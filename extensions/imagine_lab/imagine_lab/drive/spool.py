"""Uploads on their way: kept on local disk until they are whole, because a storage takes a file in one piece."""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from .refused import Refused

FIRST, LAST = 1, -1
"""The numbers of an upload's first and last chunk."""

FORGOTTEN_SECONDS = 3600.0
"""After so long without a chunk, nobody waits for an upload any more: the browser was closed."""


@dataclass
class Upload:
    """A file that arrives."""

    path: Path
    following: int = FIRST
    """Number of the chunk that comes next."""
    touched: float = field(default_factory=time.monotonic)


class Spool:
    """The uploads of this server. Its folder goes with it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="imagine-uploads-", ignore_cleanup_errors=True)
        self._uploads: dict[str, Upload] = {}

    async def take(self, key: str, number: int, block: bytes, name: str) -> Path:
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

        Returns
        -------
        Path
            Where the file lies that has arrived so far.

        Raises
        ------
        Refused
            Chunks are missing, or the local disk is full. The upload is forgotten then.
        """
        if number == FIRST:
            self._begin(key)
        upload = self._uploads.get(key)
        if upload is None or number not in (upload.following, LAST):
            self.drop(key)
            raise Refused(HTTPStatus.CONFLICT, f"The upload of {name} was interrupted: upload it again.")
        upload.following, upload.touched = upload.following + 1, time.monotonic()
        try:
            await asyncio.to_thread(_append, upload.path, block)
        except OSError as error:
            self.drop(key)
            raise Refused(
                HTTPStatus.INSUFFICIENT_STORAGE,
                f"This server has no room left for {name} ({error.strerror}): free some disk space in your home.",
            ) from error
        return upload.path

    def drop(self, key: str) -> None:
        """Forget an upload."""
        upload = self._uploads.pop(key, None)
        if upload is not None:
            upload.path.unlink(missing_ok=True)

    def _begin(self, key: str) -> None:
        self.drop(key)
        oldest = time.monotonic() - FORGOTTEN_SECONDS
        for other in [other for other, upload in self._uploads.items() if upload.touched < oldest]:
            self.drop(other)
        with tempfile.NamedTemporaryFile(dir=self._folder.name, delete=False) as file:
            self._uploads[key] = Upload(Path(file.name))


def _append(path: Path, block: bytes) -> None:
    with path.open("ab") as file:
        file.write(block)
