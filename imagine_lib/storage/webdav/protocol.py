"""WebDAV's words: paths and the addresses they become, what a listing asks for, and how its answer is read.

Every path is percent-encoded here, segment by segment, because WebDAV clients disagree on ``%``, ``#`` and ``?``.
Names are in Unicode's composed form (NFC), in which a Nextcloud keeps them whatever was sent.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from imagine_lib.errors import StorageError
from imagine_lib.storage.errors import Damaged

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

PROPERTIES = (
    b'<?xml version="1.0"?><d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop><d:resourcetype/>'
    b"<d:getcontentlength/><d:getetag/><d:getlastmodified/><oc:permissions/></d:prop></d:propfind>"
)
WITH_MOUNTS = PROPERTIES.replace(b"</d:prop>", b'<nc:mount-type xmlns:nc="http://nextcloud.org/ns"/></d:prop>')
"""Asks also whether each is shared with the user, or lies in a storage of its own."""
_RESPONSE, _COLLECTION, _HREF = "{DAV:}response", "{DAV:}collection", "{DAV:}href"
_LENGTH, _ETAG, _MODIFIED = "{DAV:}getcontentlength", "{DAV:}getetag", "{DAV:}getlastmodified"
_MOUNT = "{http://nextcloud.org/ns}mount-type"
_ODD = {"", ".", ".."}
_PERMISSIONS = "{http://owncloud.org/ns}permissions"
_KEPT = {_HREF, _LENGTH, _ETAG, _MODIFIED, _MOUNT, _PERMISSIONS}


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or folder of a listing."""

    path: str
    """Below the root that was listed, without slashes at its ends."""
    folder: bool
    size: int
    """Bytes; 0 for a folder."""
    etag: str
    """Changes when the content does; a folder's, when anything below it does."""
    last_modified: str
    """As the server writes it."""
    mount: str = ""
    """What kind of storage it lies in, if not in the user's own; told only where it was asked for."""
    permissions: str = ""
    """What the user may do, one letter each; empty where the server does not tell."""

    @property
    def writable(self) -> bool:
        """Whether the user may change the file, or put something into the folder."""
        return not self.permissions or not {"W", "C", "K"}.isdisjoint(self.permissions)

    @property
    def modified(self) -> datetime | None:
        """When it was changed last."""
        try:
            return parsedate_to_datetime(self.last_modified)
        except ValueError:
            return None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


def normal(path: str) -> str:
    """Return a path as this library writes it: composed, without the protocol, slashes at its ends and empty names.

    Raises
    ------
    StorageError
        It climbs by ``..``.
    """
    text = unicodedata.normalize("NFC", path.removeprefix("nextcloud:").strip("/"))
    if "//" in text:
        text = "/".join(filter(None, text.split("/")))
    if "." in text and not {".", ".."}.isdisjoint(text.split("/")):
        raise StorageError(f"nextcloud:/{text} goes through . or ..: write the path out.")
    return text


def shown(path: str) -> str:
    """Return a path as the user would write it."""
    return f"nextcloud:/{path}"


def encoded(path: str) -> str:
    """Return a path for an address."""
    return quote(path, safe="/")


def entity_tag(response: httpx.Response) -> str:
    """Return the entity tag in an answer."""
    return str(response.headers.get("ETag", "")).removeprefix("W/").strip('"')


def last_modified(response: httpx.Response) -> float | None:
    """Return when the file in an answer was changed, in seconds since 1970."""
    try:
        return parsedate_to_datetime(response.headers.get("Last-Modified", "")).timestamp()
    except ValueError:
        return None


class Listing:
    """Reads a listing as it arrives, entry by entry, so that a large one takes no memory.

    Parameters
    ----------
    root
        Decoded path that paths in it are counted from.
    path
        What is listed: nothing that is not at or below it is believed.
    """

    def __init__(self, root: str, path: str = "") -> None:
        root = unicodedata.normalize("NFC", root).rstrip("/")
        self._begin, self._above = len(root) + 1, f"{root}/{path}/" if path else f"{root}/"
        self._found: list[Entry] = []
        self._text: list[str] | None = None
        self._folder = False
        self._values: dict[str, str] = {}
        self._parser = DefusedXMLParser(target=self, forbid_dtd=True)

    def feed(self, block: bytes) -> list[Entry]:
        """Take a block of the answer; return the entries that it completes.

        Raises
        ------
        Damaged
            This is no listing.
        """
        try:
            self._parser.feed(block)
        except (ParseError, DefusedXmlException, ValueError) as error:
            raise Damaged from error
        found, self._found = self._found, []
        return found

    def finish(self) -> None:
        """Note the end of the answer.

        Raises
        ------
        Damaged
            It came too early.
        """
        try:
            self._parser.close()
        except (ParseError, ValueError) as error:
            raise Damaged from error

    def start(self, tag: str, _: dict[str, str]) -> None:
        """Begin an element."""
        if tag in _KEPT:
            self._text = []
        elif tag == _COLLECTION:
            self._folder = True
        elif tag == _RESPONSE:
            self._folder, self._values = False, {}

    def data(self, text: str) -> None:
        """Take an element's text."""
        if self._text is not None:
            self._text.append(text)

    def end(self, tag: str) -> None:
        """End an element."""
        if tag == _RESPONSE:
            self._found.append(self._entry())
        elif self._text is not None and tag in _KEPT:
            if text := "".join(self._text).strip():  # what a file lacks comes again, empty, with a status of its own
                self._values.setdefault(tag, text)
            self._text = None

    def close(self) -> None:
        """End the document."""

    def _entry(self) -> Entry:
        href = self._values.get(_HREF, "")
        address = unquote(href if href.startswith("/") else urlsplit(href).path).removesuffix("/")
        address = unicodedata.normalize("NFC", address)
        path = address[self._begin :]
        leads_out = "\0" in path or (path and not _ODD.isdisjoint(path.split("/")))
        if leads_out or not f"{address}/".startswith(self._above):
            raise ValueError(f"{address} lies outside {self._above}")
        if not (self._folder or _ETAG in self._values or _MODIFIED in self._values):
            raise ValueError(f"{address} was not described")
        return Entry(
            path=path,
            folder=self._folder,
            size=0 if self._folder else int(self._values.get(_LENGTH, 0)),
            etag=self._values.get(_ETAG, "").removeprefix("W/").strip('"'),
            last_modified=self._values.get(_MODIFIED, ""),
            mount=self._values.get(_MOUNT, ""),
            permissions=self._values.get(_PERMISSIONS, ""),
        )
