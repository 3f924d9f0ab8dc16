"""``nextcloud:/path`` as an fsspec filesystem.

Every path is percent-encoded here, segment by segment, because WebDAV clients disagree on ``%``, ``#`` and ``?``.
A file is written under its own name by one PUT with a known length, which a Nextcloud makes visible only when whole.
"""

from __future__ import annotations

import io
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import httpx
from defusedxml.ElementTree import fromstring
from fsspec import AbstractFileSystem

from imagine_lib.errors import StorageError
from imagine_lib.storage.credentials import Credential, read_credential

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

PROPERTIES = (
    b'<?xml version="1.0"?><d:propfind xmlns:d="DAV:"><d:prop><d:resourcetype/><d:getcontentlength/>'
    b"<d:getetag/><d:getlastmodified/></d:prop></d:propfind>"
)
TIMEOUT = httpx.Timeout(60, connect=10)


class NextcloudFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec is untyped
    """Files of the signed-in user's Nextcloud.

    Parameters
    ----------
    credential
        Whose files; by default the credential in the user's home.
    """

    protocol = "nextcloud"
    cachable = False

    def __init__(self, credential: Credential | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.credential = credential or read_credential()
        self._root = f"/remote.php/dav/files/{quote(self.credential.user)}"
        self._client = httpx.Client(
            base_url=self.credential.url,
            auth=(self.credential.user, self.credential.password.get_secret_value()),
            timeout=TIMEOUT,
            trust_env=False,
        )

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        """Return the path below the user's root, without slashes at its ends."""
        text = str(path)
        text = text.removeprefix("nextcloud:")
        return text.strip("/")

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """List a folder, or one file."""
        path = self._strip_protocol(path)
        entries = self._propfind(path, depth=1)
        if entries and entries[0]["type"] == "directory":
            entries = entries[1:]
        return entries if detail else [entry["name"] for entry in entries]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Describe one file or folder, by one request."""
        return self._propfind(self._strip_protocol(path), depth=0)[0]

    def exists(self, path: str, **_: Any) -> bool:
        """Tell whether a path exists; a server that cannot tell is an error, not a no."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """Read a whole file, by one request."""
        content = self._request("GET", self._strip_protocol(path)).content
        return content[slice(start, end)]

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        """Write a whole file, by one request."""
        headers = {"If-None-Match": "*"} if mode == "create" else {}
        self._request("PUT", self._strip_protocol(path), content=value, headers=headers)

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """Make a folder, and those above it."""
        path = self._strip_protocol(path)
        if create_parents and "/" in path:
            self.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        self._request("MKCOL", path)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a folder and those above it."""
        path = self._strip_protocol(path)
        if not path:
            return
        if self.exists(path):
            if not exist_ok:
                raise FileExistsError(path)
            return
        self.mkdir(path)

    def rm_file(self, path: str) -> None:
        """Delete a file."""
        self._request("DELETE", self._strip_protocol(path))

    def rmdir(self, path: str) -> None:
        """Delete a folder and what is in it."""
        self._request("DELETE", self._strip_protocol(path))

    def mv(self, path1: str, path2: str, **_: Any) -> None:
        """Move a file or a folder; a file that is in the way is not replaced."""
        target = self.credential.url.rstrip("/") + self._url(self._strip_protocol(path2))
        headers = {"Destination": target, "Overwrite": "F"}
        self._request("MOVE", self._strip_protocol(path1), headers=headers)

    def _open(self, path: str, mode: str = "rb", **_: Any) -> io.BytesIO:
        if mode == "rb":
            return io.BytesIO(self.cat_file(path))
        if mode in ("wb", "xb"):
            return _WholeFile(self, path, "create" if mode == "xb" else "overwrite")
        raise ValueError(f"A file in Nextcloud is opened to read or to write, not with mode {mode!r}.")

    def _url(self, path: str) -> str:
        return f"{self._root}/{quote(path)}" if path else self._root

    def _propfind(self, path: str, depth: int) -> list[dict[str, Any]]:
        response = self._request("PROPFIND", path, content=PROPERTIES, headers={"Depth": str(depth)})
        return [self._entry(node) for node in fromstring(response.content)]

    def _entry(self, node: Element) -> dict[str, Any]:
        href = unquote(urlsplit(node.findtext("{DAV:}href", "")).path)
        prop = node.find("{DAV:}propstat/{DAV:}prop")
        if prop is None:
            raise StorageError(f"The storage at {self.credential.url} sent a listing that cannot be read.")
        folder = prop.find("{DAV:}resourcetype/{DAV:}collection") is not None
        modified = prop.findtext("{DAV:}getlastmodified")
        return {
            "name": href.removeprefix(unquote(self._root)).strip("/"),
            "type": "directory" if folder else "file",
            "size": 0 if folder else int(prop.findtext("{DAV:}getcontentlength") or 0),
            "etag": (prop.findtext("{DAV:}getetag") or "").strip('"'),
            "mtime": parsedate_to_datetime(modified) if modified else None,
        }

    def _request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        try:
            response = self._client.request(method, self._url(path), **kwargs)
        except httpx.HTTPError:
            raise StorageError(
                f"Your storage at {self.credential.url} does not answer; try again in a moment."
            ) from None
        if response.is_success:
            return response
        raise self._refusal(response.status_code, path)

    def _refusal(self, status: int, path: str) -> Exception:
        shown = f"nextcloud:/{path}"
        match status:
            case 404:
                return FileNotFoundError(f"{shown} does not exist.")
            case 405 | 412:
                return FileExistsError(f"{shown} exists already.")
            case 401:
                return StorageError(
                    "Your storage no longer accepts this server's credential; restart your server from the hub."
                )
            case 403:
                return StorageError(f"You may not change {shown}: it is read-only for you.")
            case 507:
                return StorageError(f"Your storage is full: {shown} was not written; delete something first.")
            case _:
                return StorageError(f"Your storage answered {status} for {shown}; try again in a moment.")


class _WholeFile(io.BytesIO):
    """Collects what is written and stores it in one piece when it is closed."""

    def __init__(self, filesystem: NextcloudFileSystem, path: str, mode: str) -> None:
        super().__init__()
        self._filesystem, self._path, self._mode = filesystem, path, mode

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            super().close()  # an exception inside the block: store nothing rather than a part
        else:
            self.close()

    def close(self) -> None:
        if not self.closed:
            try:
                self._filesystem.pipe_file(self._path, self.getvalue(), mode=self._mode)
            finally:
                super().close()
