"""The user's Nextcloud as one of Jupyter's contents managers."""

# mypy: disallow-untyped-calls=False
# Much of Jupyter's manager has no types.

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_server.services.contents.checkpoints import AsyncCheckpoints
from jupyter_server.services.contents.manager import AsyncContentsManager, copy_pat
from traitlets import Unicode

from imagine_lib.storage.transfer import writing
from imagine_lib.storage.transfer.content import Content
from imagine_lib.storage.webdav import listing, namespace
from imagine_lib.storage.webdav.protocol import shown

from . import models, opening
from .linked import Linked
from .pages import page_of
from .sentences import told
from .spool import FIRST, LAST, Spool

if TYPE_CHECKING:
    from imagine_lib.storage.webdav.client import Nextcloud
    from imagine_lib.storage.webdav.protocol import Entry

    from .models import Model
    from .spool import Upload

SILENT_SECONDS = 10.0
"""How long a browser waits for an upload to be stored before it is told to ask again: a proxy on the way may cut off
what says nothing for a minute."""


class NoCheckpoints(AsyncCheckpoints):
    """A Nextcloud keeps the versions of a file itself."""

    async def list_checkpoints(self, path: str) -> list[Model]:  # noqa: ARG002
        """List none."""
        return []


class NextcloudContents(AsyncContentsManager):
    """Files of the user's Nextcloud, read and written with the entity tag as the guard."""

    preferred_dir = Unicode("")
    """Not to be configured: what an operator sets is a folder of the server."""

    def __init__(self, **options: Any) -> None:
        super().__init__(checkpoints=NoCheckpoints(), **options)
        self.linked = Linked()
        self._spool = Spool()

    def cloud(self) -> Nextcloud:
        """Return the Nextcloud that is linked at the moment.

        Raises
        ------
        Refused
            None is.
        """
        return self.linked.cloud()

    def emit(self, data: Model) -> None:
        """Tell nobody: who listens takes the paths for files of this server."""

    async def is_hidden(self, path: str) -> bool:  # noqa: ARG002
        """Hide nothing: the Lab leaves names with a dot out of its lists by itself."""
        return False

    async def exists(self, path: str) -> bool:
        """Tell whether there is anything of a name."""
        return await self._find(path) is not None

    async def file_exists(self, path: str) -> bool:
        """Tell whether there is a file of a name."""
        entry = await self._find(path)
        return entry is not None and not entry.folder

    async def dir_exists(self, path: str) -> bool:
        """Tell whether there is a folder of a name."""
        entry = await self._find(path)
        return entry is not None and entry.folder

    async def get(
        self,
        path: str,
        content: bool = True,
        type: str | None = None,
        format: str | None = None,
        require_hash: bool = False,  # noqa: ARG002  # a model always has one
    ) -> Model:
        """Describe a file or a folder, with its content if asked for: of a folder, its first page.

        Raises
        ------
        Refused
            There is none, it is too large or not what it shall be read as, or the storage refuses.
        """
        with told():
            path, cloud = models.place(path), self.cloud()
            if not content:
                return models.of_entry(await listing.describe(cloud, path))
            if type in (None, "directory"):
                entry = await listing.describe(cloud, path)
                if entry.folder:
                    return models.of_entry(entry) | await page_of(cloud, path)
            found = await opening.whole(cloud, path)
        model = models.with_content(path, found, type, format)
        if model["type"] == "notebook":
            self.mark_trusted_cells(model["content"], path)
            self.validate_notebook_model(model)
        return model

    async def following(self, path: str, after: str) -> Model:
        """Describe a folder by its next page.

        Parameters
        ----------
        path
            Of the folder.
        after
            What the page before said.

        Raises
        ------
        Refused
            The storage refuses, or no page says so.
        """
        with told():
            return await page_of(self.cloud(), models.place(path), after)

    async def save(self, model: Model, path: str) -> Model | None:
        """Store a file or a notebook, a chunk of one, or make a folder.

        A model's ``hash`` is what must still be there; without it, there must be nothing of this name.

        Returns
        -------
        Model or None
            What is there now. None: an upload is whole and on its way into the storage; the last chunk, which may be
            empty then, is to be sent again to hear what has become of it.

        Raises
        ------
        Refused
            Someone else has changed or made it meanwhile, or the storage refuses.
        """
        if model.get("chunk") in (None, FIRST):
            self.run_pre_save_hooks(model=model, path=path)
        with told():
            path, cloud = models.place(path), self.cloud()
            if model.get("type") == "directory":
                await namespace.make_folder(cloud, path)
                return models.of_entry(await listing.describe(cloud, path))
            if model.get("chunk") is not None:
                return await self._save_chunk(model, path)
            block = models.content_of(model, path)
            if model.get("type") == "notebook":
                self.check_and_sign(nbformat.from_dict(model["content"]), path)
            return await _store(cloud, path, Content.of(block), model.get("hash") or "")

    async def update(self, model: Model, path: str) -> Model:
        """Rename or move a file or a folder; what is in the way stays.

        Raises
        ------
        Refused
            Something is in the way, or the storage refuses.
        """
        with told():
            cloud, source = self.cloud(), models.place(path)
            target = models.place(model.get("path", path))
            if source != target:
                await namespace.move(cloud, source, target)
            return models.of_entry(await listing.describe(cloud, target))

    async def delete(self, path: str) -> None:
        """Delete a file, or a folder with all that is in it; it goes to the trash of the storage.

        Raises
        ------
        Refused
            There is none, or the storage refuses.
        """
        with told():
            await namespace.remove(self.cloud(), models.place(path))

    async def copy(self, from_path: str, to_path: str | None = None) -> Model:
        """Copy a file or a folder within the storage, under a name that is free.

        Raises
        ------
        Refused
            There is none, or the storage refuses.
        """
        with told():
            cloud, source = self.cloud(), models.place(from_path)
            folder, _, name = source.rpartition("/")
            folder = folder if to_path is None else models.place(to_path)
            free = await self.increment_filename(copy_pat.sub(".", name), folder, insert="-Copy")
            target = f"{folder}/{free}".strip("/")
            await namespace.move(cloud, source, target, copy=True)
            return models.of_entry(await listing.describe(cloud, target))

    async def _find(self, path: str) -> Entry | None:
        with told(), contextlib.suppress(FileNotFoundError):
            return await listing.describe(self.cloud(), models.place(path))
        return None

    async def _save_chunk(self, model: Model, path: str) -> Model | None:
        key, number = str(model.get("upload", path)), model["chunk"]
        block, etag = models.content_of(model, path), model.get("hash") or ""
        upload = await self._spool.take(key, number, block, shown(path), etag)
        if number != LAST:
            return models.of_file(path, upload.size, "")
        if upload.storing is None:
            upload.storing = asyncio.create_task(self._store_upload(upload, path))
        await asyncio.wait({upload.storing}, timeout=SILENT_SECONDS)
        if not upload.storing.done():
            return None
        self._spool.drop(key)
        return upload.storing.result()

    async def _store_upload(self, upload: Upload, path: str) -> Model:
        try:
            return await _store(self.linked.transfers(), path, upload.content(), upload.etag)
        finally:
            upload.file.unlink(missing_ok=True)


async def _store(cloud: Nextcloud, path: str, content: Content, etag: str) -> Model:
    stored = await writing.put(cloud, path, content, new=not etag, etag=etag)
    return models.of_file(path, content.size, stored)
