"""What the storage's errors are to the browser: a status that the drive acts on, and a sentence that it shows."""

from __future__ import annotations

import contextlib
import os
from http import HTTPStatus
from typing import TYPE_CHECKING

from jupyter_server.utils import url_path_join

from imagine_lib.errors import PlatformError, StorageError
from imagine_lib.storage.errors import DeadCredential, NotAFile, NotLinked, Refusal, Unavailable

from .refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

LINK_AGAIN = HTTPStatus.FAILED_DEPENDENCY
"""The user has to link a storage first. Not 401 or 403, which are about this server."""

_AS_IT_IS = {
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.LOCKED,
    HTTPStatus.INSUFFICIENT_STORAGE,
}
"""Statuses of the storage that mean the same in this server's answer."""


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn the storage's errors into sentences for the browser.

    Raises
    ------
    Refused
        The storage refused or did not answer.
    """
    try:
        yield
    except (StorageError, PlatformError, FileNotFoundError, FileExistsError) as error:
        raise _refused(error) from error


def _refused(error: Exception) -> Refused:
    text = str(error)
    match error:
        case FileNotFoundError():
            return Refused(HTTPStatus.NOT_FOUND, f"{text.rstrip('.')}: refresh the list.")
        case FileExistsError():
            return Refused(HTTPStatus.CONFLICT, f"{text.rstrip('.')}: choose another name.")
        case NotLinked():
            return Refused(
                LINK_AGAIN, f"No storage is linked to this server: link yours at {_page()}, then go on here."
            )
        case DeadCredential():
            return Refused(
                LINK_AGAIN,
                f"Your storage no longer lets this server in: link it again at {_page()}, then go on here.",
            )
        case Unavailable() | PlatformError():
            return Refused(HTTPStatus.SERVICE_UNAVAILABLE, text)
        case Refusal(status=status) if status in _AS_IT_IS:
            return Refused(status, text)
        case Refusal(status=status) if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Refused(HTTPStatus.SERVICE_UNAVAILABLE, text)
        case Refusal() | NotAFile():
            return Refused(HTTPStatus.BAD_REQUEST, text)
        case _:
            return Refused(HTTPStatus.CONFLICT, text)


def _page() -> str:
    return str(url_path_join(os.environ.get("JUPYTERHUB_BASE_URL", "/"), "hub", "imagine", "storage"))
