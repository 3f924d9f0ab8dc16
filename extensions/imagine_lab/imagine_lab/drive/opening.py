"""Reads a file that is to be opened, if it is not too large for that."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from imagine_lib.storage.transfer.reading import read
from imagine_lib.storage.webdav.listing import describe
from imagine_lib.storage.webdav.protocol import shown

from .refused import Refused

if TYPE_CHECKING:
    from imagine_lib.storage.transfer.reading import Bytes
    from imagine_lib.storage.webdav.client import Nextcloud

MOST_BYTES = 128 * 1024**2
"""A file larger than this is not opened: the Lab would keep it in the browser, several times over."""

BEGINNING = 16 * 1024**2
"""Bytes that are read to see how large a file is: all of nearly every file that is opened."""


async def whole(cloud: Nextcloud, path: str) -> Bytes:
    """Read a file.

    Raises
    ------
    Refused
        It is too large.
    FileNotFoundError, StorageError
        As for ``reading.read``.
    """
    found = await read(cloud, path, 0, BEGINNING)
    if len(found.content) < found.total <= MOST_BYTES:
        found = await read(cloud, path, 0, MOST_BYTES)
    if len(found.content) < found.total:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"{shown(path)} has {found.total / 1e6:,.0f} MB, too much to open here: download it, or read it in a "
            "notebook by this name.",
        )
    if not found.etag:  # an empty file, of which a server had no part to send
        return replace(found, etag=(await describe(cloud, path)).etag)
    return found
