"""The user's Nextcloud as one of Jupyter's contents managers."""

# mypy: disallow-untyped-calls=False
# Much of Jupyter's manager has no types.

from __future__ import annotations

import contextlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_server.services.contents.checkpoints import AsyncCheckpoints
from jupyter_server.services.contents.manager import AsyncContentsManager, copy_pat
from traitlets import Unicode

from imagine_lib.storage import changing, listing, reading, writing
from imagine_lib.storage.content import Content
from imagine_lib.storage.dav import normal, shown

from . import models
from .linked import Linked
from .pages import page_of
from .refused import Refused
from .sentences import told
from .spool import FIRST, LAST, Spool

if TYPE_CHECKING:
    from imagine_lib.storage.client import Nextcloud
    from imagine_lib.storage.dav import Entry

    from .models import Model

MOST_BYTES = 128 * 1024**2
"""A file larger than this is not opened: the Lab would keep it in the browser, several times over."""


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
        self._linked = Linked()
        self._spool = Spool()

    def cloud(self) -> Nextcloud:
        """Return the Nextcloud that is linked at the moment.

        Raises
        ------
        Refused
            None is.
        """
        return self._linked.cloud()

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
            path, cloud = normal(path), self.cloud()
            if not content:
                return models.of_entry(await listing.describe(cloud, path))
            if type in (None, "directory"):
                entry = await listing.describe(cloud, path)
                if entry.folder:
                    return models.of_entry(entry) | await page_of(cloud, path)
            found = await reading.read(cloud, path, 0, MOST_BYTES)
        if found.total > len(found.content):
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"{shown(path)} has {found.total / 1e6:,.0f} MB, too much to open here: download it, or read it in a "
                "notebook by this name.",
            )
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
            return await page_of(self.cloud(), normal(path), after)

    async def save(self, model: Model, path: str) -> Model:
        """Store a file or a notebook, a chunk of one, or make a folder.

        A model's ``hash`` is what must still be there; without it, there must be nothing of this name.

        Raises
        ------
        Refused
            Someone else has changed or made it meanwhile, or the storage refuses.
        """
        if model.get("chunk") in (None, FIRST):
            self.run_pre_save_hooks(model=model, path=path)
        with told():
            path, cloud = normal(path), self.cloud()
            if model.get("type") == "directory":
                await changing.make_folder(cloud, path)
                return models.of_entry(await listing.describe(cloud, path))
            if model.get("chunk") is not None:
                return await self._save_chunk(cloud, model, path)
            block = models.content_of(model, path)
            if model.get("type") == "notebook":
                self.check_and_sign(nbformat.from_dict(model["content"]), path)
            return await _store(cloud, path, Content.of(block), model)

    async def update(self, model: Model, path: str) -> Model:
        """Rename or move a file or a folder; what is in the way stays.

        Raises
        ------
        Refused
            Something is in the way, or the storage refuses.
        """
        with told():
            cloud, source = self.cloud(), normal(path)
            target = normal(model.get("path", path))
            if source != target:
                await changing.move(cloud, source, target)
            return models.of_entry(await listing.describe(cloud, target))

    async def delete(self, path: str) -> None:
        """Delete a file, or a folder with all that is in it; it goes to the trash of the storage.

        Raises
        ------
        Refused
            There is none, or the storage refuses.
        """
        with told():
            await changing.remove(self.cloud(), normal(path))

    async def copy(self, from_path: str, to_path: str | None = None) -> Model:
        """Copy a file or a folder within the storage, under a name that is free.

        Raises
        ------
        Refused
            There is none, or the storage refuses.
        """
        with told():
            cloud, source = self.cloud(), normal(from_path)
            folder, _, name = source.rpartition("/")
            folder = folder if to_path is None else normal(to_path)
            free = await self.increment_filename(copy_pat.sub(".", name), folder, insert="-Copy")
            target = f"{folder}/{free}".strip("/")
            await changing.move(cloud, source, target, copy=True)
            return models.of_entry(await listing.describe(cloud, target))

    async def _find(self, path: str) -> Entry | None:
        with told(), contextlib.suppress(FileNotFoundError):
            return await listing.describe(self.cloud(), normal(path))
        return None

    async def _save_chunk(self, cloud: Nextcloud, model: Model, path: str) -> Model:
        key, number = str(model.get("upload", path)), model["chunk"]
        arrived = await self._spool.take(key, number, models.content_of(model, path), shown(path))
        if number != LAST:
            return models.of_file(path, arrived.stat().st_size, "")
        try:
            return await _store(cloud, path, Content.of(arrived), model)
        finally:
            self._spool.drop(key)


async def _store(cloud: Nextcloud, path: str, content: Content, model: Model) -> Model:
    etag = model.get("hash") or ""
    stored = await writing.put(cloud, path, content, new=not etag, etag=etag)
    return models.of_file(path, content.size, stored)
