"""What a file in the storage is to become, on which condition, and whether that has come true."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from imagine_lib.storage import refusals
from imagine_lib.storage.dav import shown
from imagine_lib.storage.refusals import refusal

if TYPE_CHECKING:
    import httpx

    from imagine_lib.storage.client import Nextcloud
    from imagine_lib.storage.content import Content


@dataclass(frozen=True)
class Wish:
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

    async def settled(self, cloud: Nextcloud, response: httpx.Response) -> str:
        """Return the entity tag of the stored file.

        Raises
        ------
        FileNotFoundError
            There is no folder to put it in.
        FileExistsError
            It is there already, and ``new`` forbids that.
        StorageError
            Someone else changed it meanwhile, or its size is not what was sent.
        """
        if response.is_success:
            if "X-Hash-SHA256" not in response.headers and not self._is(await cloud.files("HEAD", self.path)):
                raise refusals.damaged(shown(self.path))
            return entity_tag(response)
        if response.extensions["patience"].unsure or (self.etag and response.status_code == 412):
            there = await self.found(cloud)
            if there is not None:  # an earlier try, whose answer was lost, has stored it
                return there
        if response.status_code == 412 and not self.new:
            raise refusals.conflict(shown(self.path))
        raise refusal(response, shown(self.path))

    async def found(self, cloud: Nextcloud) -> str | None:
        """Return the entity tag of the file in the storage, if it is the one that was sent."""
        try:
            response = await cloud.files("HEAD", self.path)
        except FileNotFoundError:
            return None
        return entity_tag(response) if self._is(response) and moment_of(response) == self.mtime else None

    def _is(self, response: httpx.Response) -> bool:
        label = response.headers.get("OC-Checksum", "").split(",")[0].strip()
        same: bool = response.headers.get("Content-Length", "0") == str(self.content.size)
        return same and (not label.startswith("SHA256:") or label == f"SHA256:{self.content.digest()}")


def entity_tag(response: httpx.Response) -> str:
    """Return the entity tag in an answer."""
    return str(response.headers.get("ETag", "")).removeprefix("W/").strip('"')


def moment_of(response: httpx.Response) -> float | None:
    """Return when the file in an answer was changed, in seconds since 1970."""
    try:
        return parsedate_to_datetime(response.headers.get("Last-Modified", "")).timestamp()
    except ValueError:
        return None
