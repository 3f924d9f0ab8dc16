"""Open files in Nextcloud: read block by block as one state of the file, written in one piece when closed."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractBufferedFile

from imagine_lib.errors import StorageError
from imagine_lib.storage.webdav.protocol import shown

if TYPE_CHECKING:
    from types import TracebackType

    from imagine_lib.storage.filesystem import NextcloudFileSystem

BLOCK = 5 * 1024**2
_NEAR = 6
"""Calls between a failing block and the file's end in the libraries that close files for their users."""
_CLOSING = {"fsspec", "pandas"}
"""These libraries: where a program of the user's closes a file, it means it."""


class ReadFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec is untyped
    """A file open for reading: one request where it fits into a block, and never parts of two states of it."""

    def __init__(self, fs: NextcloudFileSystem, path: str, block_size: int | None = None, **kwargs: Any) -> None:
        size = block_size if isinstance(block_size, int) and block_size > 0 else BLOCK
        self._head = fs.read_part(path, 0, size)
        super().__init__(fs, path, "rb", size, **{**kwargs, "size": self._head.total})
        self.details = {"name": path, "size": self.size, "type": "file", "etag": self._head.etag}

    def _fetch_range(self, start: int, end: int) -> bytes:
        if end <= len(self._head.content):
            return self._head.content[start:end]
        found: bytes = self.fs.read_part(self.path, start, end, self._head.etag).content
        return found


class WriteFile(io.BufferedIOBase):
    """A file open for writing: on local disk until it is stored, and dropped if the block around it fails."""

    def __init__(self, fs: NextcloudFileSystem, path: str, mode: str, autocommit: bool = True) -> None:
        self._fs, self.path, self.mode = fs, path, mode
        self._etag = ""
        self._autocommit = autocommit
        self._spool = tempfile.NamedTemporaryFile(prefix="imagine-")  # noqa: SIM115  # closed by close()
        self._before = sys.exc_info()[1]
        if mode == "ab":
            self._begin_with_what_is_there()

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True

    def seekable(self) -> bool:
        """Tell that its place can be set, as writers of archives and tables want."""
        return True

    def write(self, content: Any) -> int:
        """Add content at the present place."""
        return self._spool.write(content)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the present place."""
        return self._spool.seek(offset, whence)

    def tell(self) -> int:
        """Return the present place."""
        return self._spool.tell()

    def truncate(self, size: int | None = None) -> int:
        """Cut it."""
        return self._spool.truncate(size)

    def close(self) -> None:
        """Store what was written, unless it is being closed because the program fails."""
        if self.closed:
            return
        if self._is_left_by_an_error():
            self.discard()
        elif self._autocommit:
            self.commit()
        else:
            super().close()

    def commit(self) -> None:
        """Store what was written; where that fails, keep it on local disk and say where."""
        try:
            self._spool.flush()
            self._store()
        finally:
            self.discard()

    def discard(self) -> None:
        """Forget what was written."""
        self._spool.close()
        super().close()

    def _store(self) -> None:
        spool = self._spool.name
        try:
            self._fs.store(Path(spool), self.path, new=self.mode == "xb", etag=self._etag)
        except BaseException as error:
            if not Path(spool).stat().st_size:
                raise
            os.link(spool, kept := f"{spool}-not-stored")  # a second name outlives the first
            told = str(error).rstrip(".") or f"{shown(self.path)} was not stored"
            error.args = (f"{told}; what you wrote is kept in {kept}.",)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.discard()
        else:
            self.close()

    def __del__(self) -> None:
        if not self.closed:
            self.discard()

    def _begin_with_what_is_there(self) -> None:
        try:
            with self._fs.open(self.path, "rb") as there:
                shutil.copyfileobj(there, self._spool)
                self._etag = there.details["etag"]
        except FileNotFoundError:
            self.mode = "xb"

    def _is_left_by_an_error(self) -> bool:
        """Tell whether a ``with`` block that failed closes the file without telling it so.

        Libraries that open files for their users do that, and a half-written table would be stored as a whole one.
        """
        error = sys.exc_info()[1]
        if error is None or error is self._before:
            return False
        frame = sys._getframe(1)
        for _ in range(_NEAR):
            if frame.f_back is None:
                return False
            frame = frame.f_back
            if frame.f_code.co_name == "__exit__":
                return frame.f_globals.get("__name__", "").partition(".")[0] in _CLOSING
        return False


class TextFile(io.TextIOWrapper):
    """A text file that is dropped, like a binary one, if the block around it fails."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and isinstance(self.buffer, WriteFile):
            self.buffer.discard()
        else:
            self.close()


def open_file(fs: NextcloudFileSystem, path: str, mode: str, **options: Any) -> Any:
    """Open a file.

    Raises
    ------
    FileNotFoundError
        It is to be read, and is not there.
    StorageError
        The mode is none for whole files, or the storage refuses or does not answer.
    """
    if mode == "rb":
        options.pop("autocommit", None)
        return ReadFile(fs, path, **options)
    if mode in {"wb", "xb", "ab"}:
        return WriteFile(fs, path, mode, options.get("autocommit", True))
    raise StorageError(f"{shown(path)} cannot be opened with mode {mode!r}: read it, or write it anew.")
