"""``nextcloud://path`` as an fsspec filesystem, for pandas, dask, zarr, papermill and whatever else speaks fsspec.

Those want both slashes; this library and papermill take ``nextcloud:/path`` too. Nothing here knows HTTP: each method
is a line to the modules beside it.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsspec.asyn import AsyncFileSystem
from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.core import has_magic

from imagine_lib.errors import StorageError
from imagine_lib.storage.concurrency import wait_for
from imagine_lib.storage.errors import NotAFile
from imagine_lib.storage.files import TextFile, open_file
from imagine_lib.storage.transfer import reading, writing
from imagine_lib.storage.transfer.content import Content
from imagine_lib.storage.transfer.local import save
from imagine_lib.storage.webdav import listing, namespace
from imagine_lib.storage.webdav.client import Nextcloud
from imagine_lib.storage.webdav.protocol import normal

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from datetime import datetime

    from imagine_lib.storage.credentials import Credential
    from imagine_lib.storage.webdav.protocol import Entry

_TEXT = {"encoding", "errors", "newline"}


class NextcloudFileSystem(AsyncFileSystem):  # type: ignore[misc]  # fsspec is untyped
    """Files of the signed-in user's Nextcloud.

    Parameters
    ----------
    credential
        Whose files; by default the credential in the user's home.
    **options
        ``timeout``, ``patience`` and ``in_flight`` of ``Nextcloud``; ``asynchronous`` and ``loop`` of fsspec.
    """

    protocol = "nextcloud"
    cachable = False

    def __init__(
        self,
        credential: Credential | None = None,
        asynchronous: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        **options: Any,
    ) -> None:
        settings = {name: options.pop(name) for name in ("timeout", "patience", "in_flight") if name in options}
        super().__init__(asynchronous=asynchronous, loop=loop, **options)
        self._client = Nextcloud(credential, **settings)
        self.credential = self._client.key.account

    @property
    def client(self) -> Nextcloud:
        """The Nextcloud itself, for what fsspec has no words for."""
        return self._client

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Wait for something asynchronous; an interrupt ends it."""
        return wait_for(self.loop, work)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        """Return the path below the user's root, without slashes at its ends."""
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        return normal(os.fspath(path))

    async def _info(self, path: str, **_: Any) -> dict[str, Any]:
        return _described(await listing.describe(self.client, self._strip_protocol(path)))

    async def _ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        entries = await listing.members(self.client, self._strip_protocol(path))
        return [_described(entry) if detail else entry.path for entry in entries]

    async def _exists(self, path: str, **_: Any) -> bool:
        """Tell whether a path exists; a server that cannot tell is an error, not a no."""
        try:
            await self._info(path)
        except FileNotFoundError:
            return False
        return True

    async def _isdir(self, path: str) -> bool:
        return await self._is(path, "directory")

    async def _isfile(self, path: str) -> bool:
        return await self._is(path, "file")

    async def _is(self, path: str, kind: str) -> bool:
        try:
            return bool((await self._info(path))["type"] == kind)
        except FileNotFoundError:
            return False

    async def _find(self, path: str, maxdepth: int | None = None, withdirs: bool = False, **options: Any) -> Any:
        if maxdepth is not None:
            return await super()._find(path, maxdepth=maxdepth, withdirs=withdirs, **options)
        path, detail = self._strip_protocol(path), options.pop("detail", False)
        try:
            entries = await listing.tree(self.client, path)
        except FileNotFoundError:
            entries = []
        found = {entry.path: _described(entry) for entry in entries if withdirs or not entry.folder}
        found.pop("", None)
        return dict(sorted(found.items())) if detail else sorted(found)

    async def _expand_path(
        self, path: Any, recursive: bool = False, maxdepth: int | None = None, **options: Any
    ) -> Any:
        """Take a name with ``[``, ``*`` or ``?`` for itself where there is such a file, else for a pattern."""
        paths = [path] if isinstance(path, str) else list(path)
        literal = options.get("assume_literal", False)
        patterns = [] if literal else [one for one in paths if has_magic(one) and not await self._exists(one)]
        found: set[str] = set()
        for group, names in ((True, [one for one in paths if one not in patterns]), (False, patterns)):
            if names:
                found.update(await super()._expand_path(names, recursive, maxdepth, assume_literal=group))
        return sorted(found)

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """Read a file or a part of it, by one request."""
        path, start = self._strip_protocol(path), start or 0
        if end is not None and min(start, end) < 0:
            size = (await self._info(path))["size"]
            start = max(0, size + start) if start < 0 else start
            end = size + end if end < 0 else end
        if end is not None and end <= start:
            return b""
        return (await reading.read(self.client, path, start, end)).content

    async def _get_file(self, rpath: str, lpath: Any, callback: Any = DEFAULT_CALLBACK, **_: Any) -> None:
        path, target = self._strip_protocol(rpath), Path(lpath)
        try:
            size = await save(self.client, path, target)
        except NotAFile:
            await asyncio.to_thread(target.mkdir, parents=True, exist_ok=True)
            return
        callback.set_size(size)
        callback.absolute_update(size)

    async def _pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        """Write a whole file, by one request where its folder is there."""
        await writing.put(self.client, self._strip_protocol(path), Content.of(bytes(value)), new=mode == "create")

    async def _put_file(
        self, lpath: Any, rpath: str, mode: str = "overwrite", callback: Any = DEFAULT_CALLBACK, **options: Any
    ) -> None:
        """Store a local file, with its time; a large one goes in chunks that stay after a crash."""
        source, path = Path(lpath), self._strip_protocol(rpath)
        if await asyncio.to_thread(source.is_dir):
            await namespace.make_folders(self.client, path, exist_ok=True)
            return
        content = Content.of(source)
        callback.set_size(content.size)
        await writing.put(
            self.client, path, content, new=mode == "create", chunked_above=options.get("chunked_above")
        )
        callback.absolute_update(content.size)

    async def _mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        path = self._strip_protocol(path)
        await (namespace.make_folders if create_parents else namespace.make_folder)(self.client, path)

    async def _makedirs(self, path: str, exist_ok: bool = False) -> None:
        await namespace.make_folders(self.client, self._strip_protocol(path), exist_ok=exist_ok)

    async def _rm_file(self, path: str, **_: Any) -> None:
        await namespace.remove(self.client, self._strip_protocol(path))

    async def _rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None, **_: Any) -> None:
        """Delete files, and folders whole if ``recursive`` says so: by one request each."""
        for each in await self._expand_path(path, maxdepth=maxdepth):
            if not recursive and await self._isdir(each):
                raise StorageError(f"nextcloud:/{each} is a folder: delete it with recursive=True.")
            await namespace.remove(self.client, each)

    async def _rmdir(self, path: str) -> None:
        path = self._strip_protocol(path)
        if await listing.members(self.client, path):
            raise StorageError(f"nextcloud:/{path} is not empty: delete it with rm and recursive=True.")
        await namespace.remove(self.client, path)

    def rmdir(self, path: str) -> None:
        """Delete an empty folder."""
        self.run(self._rmdir(path))

    async def _cp_file(self, path1: str, path2: str, **_: Any) -> None:
        source, target = self._strip_protocol(path1), self._strip_protocol(path2)
        if (await listing.describe(self.client, source)).folder:
            await namespace.make_folders(self.client, target, exist_ok=True)
            return
        await namespace.make_folders(self.client, target.rpartition("/")[0], exist_ok=True)
        await namespace.move(self.client, source, target, replace=True, copy=True)

    def mv(self, path1: str, path2: str, **_: Any) -> None:
        """Move a file or a folder; a file that is in the way is not replaced."""
        source, target = self._strip_protocol(path1), self._strip_protocol(path2)
        self.run(namespace.move(self.client, source, target))

    def modified(self, path: str) -> datetime:
        """Return when a file was changed last."""
        moment: datetime = self.info(path)["mtime"]
        return moment

    def ukey(self, path: str) -> str:
        """Return what changes with the content."""
        return str(self.info(path)["etag"])

    def open(self, path: str, mode: str = "rb", block_size: int | None = None, **options: Any) -> Any:
        """Open a file; text is dropped like bytes if the block around it fails."""
        if "b" in mode or "r" in mode:
            return super().open(path, mode, block_size=block_size, **options)
        text = {name: options.pop(name) for name in _TEXT if name in options}
        return TextFile(super().open(path, f"{mode.replace('t', '')}b", block_size=block_size, **options), **text)

    def _open(self, path: str, mode: str = "rb", block_size: int | None = None, **options: Any) -> Any:
        return open_file(self, self._strip_protocol(path), mode, block_size=block_size, **options)

    def read_part(self, path: str, start: int, end: int, etag: str = "") -> reading.Bytes:
        """Read a part of a file, and learn what the whole is."""
        part: reading.Bytes = self.run(reading.read(self.client, path, start, end, etag))
        return part

    def store(self, source: Path, path: str, *, new: bool, etag: str) -> None:
        """Store a local file under a condition, dated now."""
        self.run(writing.put(self.client, path, Content.of(source), new=new, etag=etag))


def _described(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.path,
        "type": "directory" if entry.folder else "file",
        "size": entry.size,
        "etag": entry.etag,
        "mtime": entry.modified,
    }
