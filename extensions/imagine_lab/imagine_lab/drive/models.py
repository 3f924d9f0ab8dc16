"""Jupyter's words for files: the models that the Lab reads and sends, and the bytes that they stand for."""

# mypy: disallow-untyped-calls=False
# What Jupyter calls the format of notebooks has no types.

from __future__ import annotations

import base64
import binascii
import mimetypes
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import nbformat

from imagine_lib.storage.webdav.protocol import normal, shown

from .refused import Refused

if TYPE_CHECKING:
    from imagine_lib.storage.transfer.reading import Bytes
    from imagine_lib.storage.webdav.protocol import Entry

Model = dict[str, Any]

_LONG_AGO = datetime.fromtimestamp(0, UTC)


def place(path: str) -> str:
    """Return a path of the Lab as the storage writes it.

    Its first part is a name and never the protocol: a file may well be called ``nextcloud:notes.txt``.

    Raises
    ------
    StorageError
        It climbs by ``..``.
    """
    return normal(f"/{path}")


def of_entry(entry: Entry) -> Model:
    """Describe a file or a folder of a listing."""
    modified = entry.modified or _LONG_AGO
    if entry.folder:
        model = _model(entry.path, "directory", modified, None, entry.etag)
    else:
        model = _model(entry.path, _kind(entry.path), modified, entry.size, entry.etag)
    return model | {"writable": entry.writable}


def of_file(path: str, size: int, etag: str, modified: datetime | None = None) -> Model:
    """Describe a file.

    Parameters
    ----------
    path
        Below the user's root.
    size
        In bytes.
    etag
        Of its content.
    modified
        When it was changed; by default now.
    """
    return _model(path, _kind(path), modified or datetime.now(UTC), size, etag)


def with_content(path: str, found: Bytes, kind: str | None, form: str | None) -> Model:
    """Describe a file that was read, with its content.

    Parameters
    ----------
    path
        Below the user's root.
    found
        What was read.
    kind
        ``notebook`` or ``file``; by default what its name says.
    form
        ``text`` or ``base64``; by default what fits.

    Raises
    ------
    Refused
        It is not what it shall be read as.
    """
    modified = _LONG_AGO if found.modified is None else datetime.fromtimestamp(found.modified, UTC)
    model = of_file(path, found.total, found.etag, modified)
    if (kind or model["type"]) == "notebook":
        return model | {
            "type": "notebook",
            "format": "json",
            "mimetype": None,
            "content": _notebook(path, found.content),
        }
    text = None if form == "base64" else _text(found.content)
    if text is not None:
        return model | {"type": "file", "format": "text", "content": text, "mimetype": _mimetype(path, "text/plain")}
    if form == "text":
        raise Refused(
            HTTPStatus.BAD_REQUEST, f"{shown(path)} is no text in UTF-8: download it, or open it with another viewer."
        )
    content = base64.b64encode(found.content).decode("ascii")
    mimetype = _mimetype(path, "application/octet-stream")
    return model | {"type": "file", "format": "base64", "content": content, "mimetype": mimetype}


def content_of(model: Model, path: str) -> bytes:
    """Return the bytes that a model of a file or a notebook stands for.

    Raises
    ------
    Refused
        It holds none, or what it holds is damaged.
    """
    content = model.get("content")
    try:
        if model.get("type") == "notebook":
            written: str = nbformat.writes(nbformat.from_dict(content), version=nbformat.NO_CONVERT)
            return f"{written}\n".encode()
        if isinstance(content, str):
            text = model.get("format") != "base64"
            return content.encode() if text else base64.b64decode("".join(content.split()), validate=True)
    except (ValueError, TypeError, AttributeError, KeyError, binascii.Error) as error:
        raise _damaged(path) from error
    raise _damaged(path)


def _model(path: str, kind: str, modified: datetime, size: int | None, etag: str) -> Model:
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "type": kind,
        "writable": True,
        "created": modified,
        "last_modified": modified,
        "size": size,
        "mimetype": None,
        "content": None,
        "format": None,
        # The Lab compares it before it saves, and asks its user when someone else has changed the file meanwhile.
        "hash": etag,
        "hash_algorithm": "etag",
    }


def _kind(path: str) -> str:
    return "notebook" if path.endswith(".ipynb") else "file"


def _mimetype(path: str, otherwise: str) -> str:
    return mimetypes.guess_type(path)[0] or otherwise


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _notebook(path: str, content: bytes) -> Any:
    try:
        return nbformat.reads(content.decode(), as_version=4)
    except Exception as error:  # what nbformat raises on hostile JSON is not a closed list
        raise Refused(
            HTTPStatus.BAD_REQUEST, f"{shown(path)} is no notebook that can be read: open it with the text editor."
        ) from error


def _damaged(path: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, f"What was sent for {shown(path)} is damaged: save it again.")
