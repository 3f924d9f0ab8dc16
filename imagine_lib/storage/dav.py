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
from imagine_lib.storage.refusals import Damaged

if TYPE_CHECKING:
    from datetime import datetime

PROPERTIES = (
    b'<?xml version="1.0"?><d:propfind xmlns:d="DAV:"><d:prop><d:resourcetype/><d:getcontentlength/>'
    b"<d:getetag/><d:getlastmodified/></d:prop></d:propfind>"
)
_RESPONSE, _STATUS = "{DAV:}response", "{DAV:}status"
_COLLECTION, _HREF = "{DAV:}collection", "{DAV:}href"
_KEPT = {_HREF, _STATUS, "{DAV:}getcontentlength", "{DAV:}getetag", "{DAV:}getlastmodified"}


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
    """Return a path as this library writes it: composed, without the protocol and slashes at its ends.

    Raises
    ------
    StorageError
        It climbs by ``..``.
    """
    text = unicodedata.normalize("NFC", path.removeprefix("nextcloud:").strip("/"))
    if "." in text and not {".", ".."}.isdisjoint(text.split("/")):
        raise StorageError(f"nextcloud:/{text} goes through . or ..: write the path out.")
    return text


def shown(path: str) -> str:
    """Return a path as the user would write it."""
    return f"nextcloud:/{path}"


def encoded(path: str) -> str:
    """Return a path for an address."""
    return quote(path, safe="/")


class Listing:
    """Reads a listing as it arrives, entry by entry, so that a large one takes no memory.

    Parameters
    ----------
    root
        Decoded path that all its addresses begin with.
    """

    def __init__(self, root: str) -> None:
        self._root = unicodedata.normalize("NFC", root).rstrip("/")
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
        address = unicodedata.normalize("NFC", unquote(href if href.startswith("/") else urlsplit(href).path))
        if not f"{address.rstrip('/')}/".startswith(f"{self._root}/"):
            raise ValueError(f"{address} lies outside {self._root}")
        return Entry(
            path=address[len(self._root) :].strip("/"),
            folder=self._folder,
            size=0 if self._folder else int(self._values.get("{DAV:}getcontentlength", 0)),
            etag=self._values.get("{DAV:}getetag", "").removeprefix("W/").strip('"'),
            last_modified=self._values.get("{DAV:}getlastmodified", ""),
        )
