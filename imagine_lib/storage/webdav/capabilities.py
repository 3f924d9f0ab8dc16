"""What a Nextcloud of some version can do beyond plain WebDAV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagine_lib.storage.webdav.client import Nextcloud

ARCHIVES_SINCE = 32
"""The version from which on folders come as one archive, listings in pages, and missing folders are made by a PUT."""


@dataclass(frozen=True)
class Capabilities:
    """What the server offers."""

    version: int = 0
    bulk: bool = False
    """Many small files in one request."""
    chunks: bool = False
    """Large files in parts, which stay after a crash."""
    parallel_chunks: int = 4

    @property
    def archives(self) -> bool:
        """Whether a folder comes as one archive."""
        return self.version >= ARCHIVES_SINCE

    @property
    def pages(self) -> bool:
        """Whether listings come in pages."""
        return self.version >= ARCHIVES_SINCE


async def read_capabilities(cloud: Nextcloud) -> Capabilities:
    """Ask a server what it offers; one that does not say offers plain WebDAV.

    Raises
    ------
    StorageError
        It does not answer.
    """
    response = await cloud.ocs("GET", "cloud/capabilities")
    try:
        told = response.json()["ocs"]["data"]
        dav, files = told["capabilities"].get("dav") or {}, told["capabilities"].get("files") or {}
        upload = files.get("chunked_upload") or {}
        return Capabilities(
            version=int(told["version"]["major"]),
            bulk=bool(dav.get("bulkupload")),
            chunks=bool(dav.get("chunking")),
            parallel_chunks=int(upload.get("max_parallel_count") or 4),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return Capabilities()
