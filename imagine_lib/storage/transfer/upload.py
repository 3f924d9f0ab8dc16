"""What a file in the storage is to become, on which condition, and whether that has come true."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imagine_lib.errors import StorageError
from imagine_lib.storage import errors
from imagine_lib.storage.errors import refusal
from imagine_lib.storage.transfer.checksums import stated_checksum
from imagine_lib.storage.webdav.namespace import remove
from imagine_lib.storage.webdav.protocol import entity_tag, last_modified, shown

if TYPE_CHECKING:
    import httpx

    from imagine_lib.storage.transfer.content import Content
    from imagine_lib.storage.webdav.client import Nextcloud

_ANOTHER = frozenset({404, 412})


class InDoubt(StorageError):  # noqa: N818
    """A file arrived damaged in the storage, or could not be compared, and could not be taken away again.

    Parameters
    ----------
    path
        Of the file; what lies there must not be taken for what was sent, whatever its size and time say.
    """

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{shown(path)} did not arrive safely in your storage and could not be taken away again: write it again, "
            "or delete it there, before it is used."
        )
        self.path = path


@dataclass(frozen=True)
class Upload:
    """A file to be stored."""

    path: str
    content: Content
    new: bool = False
    """Whether it must not be there yet."""
    etag: str = ""
    """What must still be there; empty: whatever is there is replaced."""
    _now: int = field(default_factory=lambda: int(time.time()))

    @property
    def mtime(self) -> int:
        """Seconds since 1970 that the file is dated with."""
        return self._now if self.content.mtime is None else self.content.mtime

    def headers(self) -> dict[str, str]:
        """Return what a request says about the file itself."""
        return {"X-OC-MTime": str(self.mtime)}

    def conditions(self) -> dict[str, str]:
        """Return the conditions of a request to the file's own address."""
        if self.new:
            return {"If-None-Match": "*"}
        return {"If-Match": f'"{self.etag}"'} if self.etag else {}

    async def settled(self, cloud: Nextcloud, response: httpx.Response, *, proven: bool, digest: str = "") -> str:
        """Return the entity tag of the stored file.

        Parameters
        ----------
        cloud, response
            Whose storage, and what it answered.
        proven
            Whether its checksums show that what it took is what was sent.
        digest
            The content's SHA-256, where it is known.

        Raises
        ------
        FileNotFoundError
            There is no folder to put it in.
        FileExistsError
            It is there already, and ``new`` forbids that.
        InDoubt
            It is damaged, and could not be taken away.
        StorageError
            Someone else changed it meanwhile, or it arrived damaged.
        """
        if response.is_success:
            etag = entity_tag(response)
            if not proven:
                await self._require_at(cloud, etag, digest)
            return etag
        if response.extensions["retries"].unsure:
            there = await self.found(cloud, digest, proven=proven)
            if there is not None:  # an earlier try, whose answer was lost, has stored it
                return there
        if response.status_code == 412 and not self.new:
            raise errors.conflict(shown(self.path))
        raise refusal(response, shown(self.path))

    async def found(self, cloud: Nextcloud, digest: str = "", *, proven: bool = False) -> str | None:
        """Return the entity tag of the file in the storage, if it is the one that was sent, byte for byte.

        Where each part of it is ``proven``, its checksum tells that the server has put together these parts;
        otherwise it proves nothing, since it is what a client said, and the file is read.
        """
        try:
            response = await cloud.files("HEAD", self.path)
        except FileNotFoundError:
            return None
        if not self.has_length(response) or last_modified(response) != self.mtime:
            return None
        etag, stated = entity_tag(response), stated_checksum(response) == f"sha256:{digest}"
        return etag if (proven and stated) or await self._is_at(cloud, etag, digest) else None

    def has_length(self, response: httpx.Response) -> bool:
        """Tell whether the file in an answer is as long as what was sent."""
        return bool(response.headers.get("Content-Length", "0") == str(self.content.size))

    async def take_back(self, cloud: Nextcloud, etag: str) -> None:
        """Take a damaged file away, unless someone else has replaced it by now.

        Raises
        ------
        InDoubt
            It could not be taken away.
        """
        try:
            await remove(cloud, self.path, etag)
        except (FileNotFoundError, FileExistsError):
            return
        except StorageError:
            raise InDoubt(self.path) from None

    def taken_back(self) -> StorageError:
        """Return the error of a file that arrived damaged and was taken away."""
        before = "" if self.new else "; what was there before may be among its versions in your storage's trash"
        return StorageError(
            f"{shown(self.path)} arrived damaged each time and was taken away again: write it again{before}."
        )

    async def _require_at(self, cloud: Nextcloud, etag: str, digest: str) -> None:
        try:
            if await self._is_at(cloud, etag, digest):
                return
        except StorageError:
            raise InDoubt(self.path) from None
        await self.take_back(cloud, etag)
        raise self.taken_back()

    async def _is_at(self, cloud: Nextcloud, etag: str, digest: str) -> bool:
        """Read the stored file and compare it."""

        async def take(response: httpx.Response) -> str:
            digest = hashlib.sha256()
            async for block in response.aiter_raw():
                await asyncio.to_thread(digest.update, block)
            return digest.hexdigest() if response.is_success else ""

        stored = await cloud.exchange(
            "GET",
            cloud.address(self.path),
            take,
            about=shown(self.path),
            headers={"If-Match": f'"{etag}"'} if etag else {},
            allow=_ANOTHER,
        )
        return stored == (digest or await asyncio.to_thread(self.content.digest))
