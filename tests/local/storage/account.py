"""A user with an app password, who speaks WebDAV and OCS to any server."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree

import httpx

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local.storage.servers import Elsewhere, Embedded

TLS = ssl.create_default_context()
"""What every client of the tests trusts: they carry an administrator's password to servers of other people."""
NAMESPACES = {"d": "DAV:", "oc": "http://owncloud.org/ns", "nc": "http://nextcloud.org/ns"}


@dataclass
class Account:
    """A user with an app password."""

    server: Embedded | Elsewhere
    uid: str
    password: str
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(auth=(self.uid, self.password), trust_env=False, verify=TLS, timeout=60)

    @property
    def basic(self) -> str:
        return httpx.BasicAuth(self.uid, self.password)._auth_header

    @property
    def root(self) -> str:
        return f"/remote.php/dav/files/{self.uid}"

    @property
    def home(self) -> Path:
        return self.server.disk / "data" / self.uid / "files"

    def url(self, path: str = "/") -> str:
        return self.server.url + self.root + quote(path)

    def send(self, method: str, path: str = "/", content: Any = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, self.url(path), content=content, headers=named)

    def put(self, path: str, content: Any = b"hello", **headers: str) -> httpx.Response:
        return self.send("PUT", path, content, **headers)

    def move(self, source: str, target: str, method: str = "MOVE", **headers: str) -> httpx.Response:
        return self.send(method, source, Destination=self.url(target), **headers)

    def read(self, path: str) -> bytes:
        answer = self.send("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.content

    def etag(self, path: str) -> str:
        return self.properties(path, "d:getetag")["d:getetag"] or ""

    def properties(self, path: str, *names: str) -> dict[str, str | None]:
        """Return some properties of one resource; what is not there is not in the answer."""
        return next(iter(self.listing(path, *names, depth="0").values()))

    def listing(self, path: str = "/", *names: str, depth: str = "1") -> dict[str, dict[str, str | None]]:
        """Return properties by decoded path below the home."""
        answer = self.send("PROPFIND", path, propfind(*names) if names else None, Depth=depth)
        assert answer.status_code == 207, answer.text
        return multistatus(answer.content, self.root)

    def ocs(self, method: str, path: str, /, **fields: Any) -> tuple[int, Any]:
        answer = self.client.request(
            method,
            f"{self.server.url}/ocs/v2.php/{path}",
            data=fields if method in {"POST", "PUT"} else None,
            params=fields if method == "GET" else None,
            headers={"OCS-APIRequest": "true", "Accept": "application/json"},
        )
        return answer.status_code, answer.json()["ocs"]["data"] if answer.content else None

    def share(self, path: str, kind: int, receiver: str = "", /, **fields: Any) -> Any:
        status, data = self.ocs(
            "POST", "apps/files_sharing/api/v1/shares", path=path, shareType=kind, shareWith=receiver, **fields
        )
        assert status == 200, data
        return data


def propfind(*names: str) -> bytes:
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    wanted = "".join(f"<{name}/>" for name in names)
    return f"<d:propfind {declared}><d:prop>{wanted}</d:prop></d:propfind>".encode()


def multistatus(document: bytes, root: str = "") -> dict[str, dict[str, str | None]]:
    found: dict[str, dict[str, str | None]] = {}
    short = {uri: prefix for prefix, uri in NAMESPACES.items()}
    for response in ElementTree.fromstring(document):
        href = unquote(response.findtext("{DAV:}href") or "").removeprefix(root)
        found[href] = {}
        for propstat in response.findall("{DAV:}propstat"):
            if "200" in (propstat.findtext("{DAV:}status") or ""):
                for value in propstat.find("{DAV:}prop") or ():
                    uri, _, local = value.tag[1:].partition("}")
                    inner = "".join(child.tag.partition("}")[2] for child in value)
                    text = "".join(value.itertext())
                    found[href][f"{short.get(uri, uri)}:{local}"] = text or inner or None
    return found
