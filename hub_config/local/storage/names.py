"""What a path and a name may be: decoded, in NFC, never climbing, never unspeakable in XML."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from .errors import INVALID_PATH, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_DEPTH = 256
"""Folders within folders: far beyond any real tree, far below Python's recursion limit."""
MAX_BYTES = 250
FORBIDDEN_NAMES = [".htaccess"]
FORBIDDEN_EXTENSIONS = [".filepart", ".part"]
_UNUSABLE = re.compile(r"[/\\\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def usable(name: str) -> bool:
    """Tell whether a name can be asked for and written into an answer."""
    return name not in {"", ".", ".."} and not _UNUSABLE.search(name)


def segments(raw: str) -> list[str]:
    """Split and decode a raw URL or URL path.

    Raises
    ------
    Refused
        400: a segment climbs (``..``), hides a separator or a control character, or is no UTF-8.
    """
    path = re.sub(r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/]*", "", raw).partition("?")[0]
    return _together(_decoded(segment) for segment in path.split("/") if segment)


def plain_segments(path: str) -> list[str]:
    """Split a path that is not percent-encoded.

    Raises
    ------
    Refused
        400: a segment climbs (``..``) or hides a control character.
    """
    return _together(_checked(segment) for segment in path.split("/") if segment)


def check_new(name: str) -> None:
    """Refuse a name that nothing new may have.

    Raises
    ------
    Refused
        400: too long, or an ending that is kept for unfinished uploads; 500 for ``.htaccess``, as Nextcloud 33 does.
    """
    if len(name.encode()) > MAX_BYTES:
        raise Refused(400, "Filename is too long", name=INVALID_PATH)
    for extension in FORBIDDEN_EXTENSIONS:
        if name.lower().endswith(extension):
            raise Refused(400, f'Filenames must not end with "{extension}".', name=INVALID_PATH)
    if name.lower() in FORBIDDEN_NAMES:
        raise Refused(500, f'"{name}" is a forbidden file or folder name.')


def _decoded(segment: str) -> str:
    try:
        name = unquote_to_bytes(segment.encode("latin-1")).decode()
    except UnicodeError:
        raise Refused(400, "The path is not valid UTF-8.", name=INVALID_PATH) from None
    return _checked(name)


def _checked(segment: str) -> str:
    name = unicodedata.normalize("NFC", segment)
    if not usable(name):
        raise Refused(400, f"The name {name!a} is not allowed.", name=INVALID_PATH)
    return name


def _together(names: Iterable[str]) -> list[str]:
    found = list(names)
    if len(found) > MAX_DEPTH:
        raise Refused(400, "The path is too deep.", name=INVALID_PATH)
    return found
