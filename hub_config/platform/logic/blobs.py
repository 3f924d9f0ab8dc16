"""Files of shared models: taken in whole and with the right hash, given out only if they still have it."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from anyio import CancelScope
from anyio.to_thread import run_sync

from hub_config.platform.errors import Damaged, Invalid, TooLarge
from hub_config.platform.store import uploads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from hub_config.platform.logic.access import Caller
    from hub_config.platform.store.blobs import BlobStore, Incoming
    from hub_config.platform.store.database import Database
    from imagine_lib.wire import FileEntry

log = logging.getLogger(__name__)

AT_ONCE = 8 * 1024**2
"""Up to this size a file is checked before its first byte is sent, so that the user gets a sentence."""


class Blobs:
    """The files of shared models.

    Parameters
    ----------
    database
        Where is kept who brought what.
    store
        Where the files are.
    max_bytes
        The largest file that is taken.
    """

    def __init__(self, database: Database, store: BlobStore, max_bytes: int) -> None:
        self._database = database
        self._store = store
        self._max_bytes = max_bytes
        self._suspects: set[str] = set()

    async def receive(self, caller: Caller, sha256: str, length: int, chunks: AsyncIterator[bytes]) -> bool:
        """Take a file in.

        Parameters
        ----------
        caller
            Who brings it.
        sha256
            The hash that it must have.
        length
            Its size in bytes, as announced.
        chunks
            Its content; an exception from here leaves nothing behind.

        Returns
        -------
        bool
            Whether it is new; False when this user had brought it before.

        Raises
        ------
        TooLarge
            It has more bytes than the settings allow.
        Invalid
            Its content has another hash.
        Full, Unavailable
            The store cannot keep it.
        """
        if length > self._max_bytes:
            raise TooLarge(f"The file has {length:,} bytes and may have {self._max_bytes:,}: shrink it.")
        incoming = await run_sync(self._store.incoming)
        try:
            async for chunk in chunks:
                await run_sync(incoming.write, chunk)
            return await run_sync(self._keep, caller, sha256, incoming)
        finally:
            with CancelScope(shield=True):
                await run_sync(incoming.discard)

    def missing(self, caller: Caller, files: Iterable[FileEntry]) -> list[str]:
        """Return the hashes of those files that this user has yet to bring, or to bring again."""
        wanted = {entry.sha256: entry for entry in files}
        with self._database.read() as session:
            brought = uploads.sizes(session, caller.name, wanted)
        return sorted(sha256 for sha256 in wanted if not self._whole(sha256, brought.get(sha256)))

    def read(self, file: FileEntry) -> bytes:
        """Return a small file's content.

        Raises
        ------
        Damaged
            It is gone or changed.
        """
        return b"".join(self._checked(file))

    def stream(self, file: FileEntry) -> Iterator[bytes]:
        """Yield a file's content; the last part is held back until the whole is known to be right.

        Raises
        ------
        Damaged
            It is gone or changed: at once for small files and those found damaged before, else at the end.
        """
        if not self._whole(file.sha256, file.size):
            raise self._damaged(file)
        if file.size <= AT_ONCE or file.sha256 in self._suspects:
            for _ in self._checked(file):
                pass
        return self._checked(file)

    def _keep(self, caller: Caller, sha256: str, incoming: Incoming) -> bool:
        if incoming.sha256 != sha256:
            raise Invalid(
                f"What arrived has the SHA-256 {incoming.sha256} and not {sha256}: send the file again.",
                received=incoming.sha256,
            )
        with self._database.read() as session:
            brought = uploads.sizes(session, caller.name, [sha256])
        new = not self._whole(sha256, brought.get(sha256))
        incoming.keep()
        with self._database.write() as session:
            uploads.record(session, caller.name, sha256, incoming.size)
        return new

    def _whole(self, sha256: str, size: int | None) -> bool:
        return size is not None and self._store.size(sha256) == size

    def _checked(self, file: FileEntry) -> Iterator[bytes]:
        digest, held = hashlib.sha256(), b""
        try:
            for chunk in self._store.read(file.sha256):
                digest.update(chunk)
                if held:
                    yield held
                held = chunk
        except FileNotFoundError:
            raise self._damaged(file) from None
        if digest.hexdigest() != file.sha256:
            raise self._damaged(file)
        self._suspects.discard(file.sha256)
        yield held

    def _damaged(self, file: FileEntry) -> Damaged:
        self._suspects.add(file.sha256)
        log.error("The model store's file %s (%s) is gone or changed", file.sha256, file.path)
        return Damaged(
            f"{file.path} is gone or was changed in the model store, so it is not given out: "
            "ask the model's owner to publish the same files again, which repairs it."
        )
