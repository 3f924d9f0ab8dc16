"""Files on this machine: written so that each is there whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from imagine_lib.errors import StorageError
from imagine_lib.storage.transfer.reading import download

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imagine_lib.storage.webdav.client import Nextcloud

ARRIVING = ".arriving-"
"""How the names of files begin that are not whole yet."""
Stamp = tuple[int, int]
"""A file's time in nanoseconds and its size in bytes."""


async def save(
    cloud: Nextcloud,
    path: str,
    target: Path,
    etag: str = "",
    mtime: float | None = None,
    check: Callable[[], None] | None = None,
) -> int:
    """Copy a file from Nextcloud to this machine.

    Parameters
    ----------
    cloud, path, target
        Whose, which and where to.
    etag
        What it must still be.
    mtime
        What the copy is dated with, in seconds since 1970; by default as the original is.
    check
        Called right before the copy takes its place; may raise to prevent that.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    StorageError
        It is a folder, it changed, the disk is full, or the storage refuses or does not answer.
    """
    with _arriving(target, check) as arriving:
        _create(arriving).close()
        head = await download(cloud, path, arriving, etag)
        moment = head.modified if mtime is None else mtime
        if moment is not None:
            await asyncio.to_thread(os.utime, arriving, (moment, moment))
    return head.total


def put_down(
    target: Path, content: bytes, mtime: float | None = None, check: Callable[[], None] | None = None
) -> None:
    """Write a file, dated; see ``save``.

    Raises
    ------
    StorageError
        The disk is full.
    """
    with _arriving(target, check) as arriving, _create(arriving) as file:
        file.write(content)
        if mtime is not None:
            file.flush()  # what is written after it dates the file anew
            os.utime(file.fileno(), (mtime, mtime))


def write_atomically(target: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def stamp_of(status: os.stat_result) -> Stamp:
    """Return what changes whenever a file does."""
    return status.st_mtime_ns, status.st_size


def _create(path: Path) -> BinaryIO:
    try:
        return path.open("xb")
    except FileNotFoundError:  # once a folder, and not once a file
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")


@contextlib.contextmanager
def _arriving(target: Path, check: Callable[[], None] | None) -> Iterator[Path]:
    """Give a place for a file that becomes the target when the block is left without an error."""
    arriving = target.with_name(f"{ARRIVING}{secrets.token_hex(8)}")
    try:
        yield arriving
        if check:
            check()
        arriving.replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            arriving.unlink()
        if not isinstance(error, OSError) or isinstance(error, FileNotFoundError):
            raise
        raise StorageError(
            f"The local copy {target} could not be written ({error.strerror}); free some disk space."
        ) from None
