"""Passes a file of the storage on to the browser, block by block, and goes on where the storage broke off."""

from __future__ import annotations

import mimetypes
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from imagine_lib.storage.errors import Damaged
from imagine_lib.storage.webdav.protocol import entity_tag, shown

from .models import place
from .refused import Refused
from .sentences import told

if TYPE_CHECKING:
    import httpx
    from jupyter_server.base.handlers import JupyterHandler

    from imagine_lib.storage.webdav.client import Nextcloud

    from .linked import Linked

_PART = re.compile(r"bytes=(\d+-\d*|-\d+)", re.ASCII)
"""What browsers ask for. Anything else is answered with the whole file, as the standard allows."""

_WHERE = re.compile(r"bytes (\d+)-(\d+)/\d+", re.ASCII)
_PASSED_ON = ("Content-Range", "ETag", "Last-Modified")
_ALLOWED = frozenset(
    {HTTPStatus.NOT_MODIFIED, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}
)


async def describe(handler: JupyterHandler, cloud: Nextcloud, path: str) -> None:
    """Answer with what a download would tell of a file.

    Raises
    ------
    Refused
        There is none, or the storage refuses.
    """
    with told():
        response = await cloud.files("HEAD", place(path))
    _begin(handler, place(path), response)


async def pass_on(handler: JupyterHandler, linked: Linked, path: str) -> None:
    """Answer with a file, or the part of it that was asked for.

    Parameters
    ----------
    handler
        Of the browser's question.
    linked, path
        Whose and which.

    Raises
    ------
    Refused
        There is none, it is a folder, too many are under way, or the storage refuses: before the first byte is sent.
    """
    with told():
        async with linked.download() as cloud:
            await _Passage(handler, cloud, place(path)).run()


class _Passage:
    """One download."""

    def __init__(self, handler: JupyterHandler, cloud: Nextcloud, path: str) -> None:
        self._handler, self._cloud, self._path = handler, cloud, path
        self._etag = ""
        self._position, self._end = 0, 0
        self._begun = False

    async def run(self) -> None:
        await self._cloud.exchange(
            "GET",
            self._cloud.address(self._path),
            self._take,
            about=shown(self._path),
            headers=self._headers,
            allow=_ALLOWED,
        )

    def _headers(self) -> dict[str, str]:
        if self._begun:
            return {"Range": f"bytes={self._position}-{self._end - 1}", "If-Match": f'"{self._etag}"'}
        asked = self._handler.request.headers
        names = ["If-None-Match", *(("Range", "If-Range") if _PART.fullmatch(asked.get("Range", "")) else ())]
        return {name: asked[name] for name in names if name in asked}

    async def _take(self, response: httpx.Response) -> None:
        if not self._begun:
            self._begin(response)
        elif response.status_code != HTTPStatus.PARTIAL_CONTENT or _first(response) != self._position:
            # The file is another one by now. The browser sees that it got too little, and says so.
            raise Refused(HTTPStatus.CONFLICT, f"{shown(self._path)} changed while it was downloaded: try again.")
        if response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            return
        async for block in response.aiter_raw():
            self._handler.write(block)
            await self._handler.flush()
            self._position += len(block)
            response.extensions["retries"].renew()
        if self._position != self._end:
            raise Damaged

    def _begin(self, response: httpx.Response) -> None:
        self._etag = entity_tag(response)
        if response.is_success and not self._etag:
            raise Refused(HTTPStatus.BAD_REQUEST, f"{shown(self._path)} is a folder: download the files in it.")
        self._position = _first(response)
        self._end = self._position + int(response.headers.get("Content-Length", 0))
        self._begun = True
        _begin(self._handler, self._path, response)


def _begin(handler: JupyterHandler, path: str, response: httpx.Response) -> None:
    handler.set_status(response.status_code)
    for name in (*_PASSED_ON, "Content-Length") if response.is_success else _PASSED_ON:
        if name in response.headers:
            handler.set_header(name, response.headers[name])
    handler.set_header("Accept-Ranges", "bytes")
    # Without a word on it, a browser would show an old picture for a tenth of its age before it asks again.
    handler.set_header("Cache-Control", "private, no-cache")
    handler.set_header("Content-Type", mimetypes.guess_type(path)[0] or "application/octet-stream")
    handler.set_attachment_header(path.rpartition("/")[2])


def _first(response: httpx.Response) -> int:
    found = _WHERE.fullmatch(response.headers.get("Content-Range", ""))
    return int(found[1]) if found else 0
