"""Refusals: one exception for every answer >= 400, and the XML that Nextcloud wraps it in."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from wsgidav.dav_error import DAVError

if TYPE_CHECKING:
    from collections.abc import Sequence

_log = logging.getLogger(__name__)
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CONNECTOR = "OCA\\DAV\\Connector\\Sabre\\Exception\\"
INVALID_PATH = _CONNECTOR + "InvalidPath"
_NAMES = {
    400: "Sabre\\DAV\\Exception\\BadRequest",
    401: "Sabre\\DAV\\Exception\\NotAuthenticated",
    403: "Sabre\\DAV\\Exception\\Forbidden",
    404: "Sabre\\DAV\\Exception\\NotFound",
    405: "Sabre\\DAV\\Exception\\MethodNotAllowed",
    409: "Sabre\\DAV\\Exception\\Conflict",
    412: "Sabre\\DAV\\Exception\\PreconditionFailed",
    415: "Sabre\\DAV\\Exception\\UnsupportedMediaType",
    416: "Sabre\\DAV\\Exception\\RequestedRangeNotSatisfiable",
    423: _CONNECTOR + "FileLocked",
    429: _CONNECTOR + "TooManyRequests",
    501: "Sabre\\DAV\\Exception\\NotImplemented",
    503: "Sabre\\DAV\\Exception\\ServiceUnavailable",
    507: "Sabre\\DAV\\Exception\\InsufficientStorage",
}


class Refused(DAVError):  # type: ignore[misc]  # noqa: N818
    """The request is answered with an error; as WsgiDAV's own kind of error it passes through WsgiDAV unharmed.

    Parameters
    ----------
    status
        The HTTP status.
    message
        The sentence for the client.
    name
        The exception name in the body, where it is not the usual one of the status.
    detail
        More XML for the body.
    headers
        More headers for the answer.
    """

    def __init__(
        self,
        status: int,
        message: str = "",
        *,
        name: str = "",
        detail: str = "",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.name = name or _NAMES.get(status, "Exception")
        self.detail = detail
        self.headers = list(headers)

    @property
    def body(self) -> bytes:
        """The error document of a WebDAV answer."""
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n'
            '<d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns">\n'
            f"  <s:exception>{self.name}</s:exception>\n"
            f"  <s:message>{escape(self.message)}</s:message>{self.detail}\n"
            "</d:error>\n"
        ).encode()


class NotSignedIn(Refused):
    """Nobody may come in with this; ``tried`` tells whether credentials were sent at all."""

    def __init__(self, reason: str, *, tried: bool) -> None:
        super().__init__(401, f"No public access to this resource., {reason}")
        self.tried = tried


def from_disk(error: OSError) -> Refused:
    """Return the refusal that tells of a failure of the disk."""
    if error.errno in _NO_SPACE:
        return Refused(507, "Insufficient space on the server's disk")
    if error.errno == errno.ENAMETOOLONG:
        return Refused(400, "The path is too long.")
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return Refused(404, "The file was removed meanwhile.")
    _log.error("The disk failed: %s", error.strerror)
    return Refused(503, "The server's disk cannot be used.")
