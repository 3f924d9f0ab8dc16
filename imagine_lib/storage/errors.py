"""What a Nextcloud's refusals mean to the user, one sentence each."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from defusedxml.ElementTree import fromstring

from imagine_lib.errors import StorageError

if TYPE_CHECKING:
    import httpx

_LONGEST_REASON = 200


class Damaged(Exception):  # noqa: N818
    """What arrived is not what was sent; the request is repeated."""


class NotAFile(StorageError):  # noqa: N818
    """A folder was to be read like a file."""


class Changed(StorageError):  # noqa: N818
    """Someone wrote to a file in the middle of a read."""


class Unavailable(StorageError):  # noqa: N818
    """The storage takes nothing at all for now; to go on with other files would be of no use."""


class NotLinked(StorageError):  # noqa: N818
    """There is no storage to speak to."""


class DeadCredential(Unavailable):
    """The storage no longer accepts the key."""


class Refusal(StorageError):  # noqa: N818
    """The storage refused a request for good.

    Parameters
    ----------
    message
        One sentence for the user.
    status
        What the server answered with.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def refusal(response: httpx.Response, shown: str) -> Exception:
    """Return the error for an answer of 300 or more.

    Parameters
    ----------
    response
        The answer, its body read.
    shown
        What the request was about, as the user would write it.
    """
    status = response.status_code
    match status:
        case 404:
            return FileNotFoundError(f"{shown} does not exist.")
        case 405 | 412:
            return exists(shown)
        case 400:
            return Refusal(f"Your storage does not take {shown}{_reason(response)}; give it another name.", status)
        case 403:
            return Refusal(f"You may not change {shown}: it is read-only for you.", status)
        case 409:
            return Refusal(
                f"{shown} cannot be made: its folder is missing, or there is a folder of its name.", status
            )
        case 413:
            return Refusal(f"{shown} is too large for your storage: ask its operator to allow more.", status)
        case 423:
            return Refusal(f"{shown} is being changed by another program; try again in a moment.", status)
        case 429:
            return locked_out()
        case 507:
            return Refusal(f"Your storage is full: {shown} was not written; delete something first.", status)
        case _:
            return Refusal(f"Your storage answered {status} for {shown}; try again in a moment.", status)


def exists(shown: str) -> FileExistsError:
    """Return the error of something that is in the way."""
    return FileExistsError(f"{shown} exists already.")


def locked_out() -> Unavailable:
    """Return the error of a storage that takes nothing from this address for now."""
    return Unavailable(
        "Your storage takes no requests from this workspace for some minutes, because too many came or because "
        "wrong passwords did; try again in half an hour, and tell the operator if it stays."
    )


def silent(url: str) -> Unavailable:
    """Return the error of a storage that does not answer."""
    return Unavailable(f"Your storage at {url} does not answer; try again in a moment.")


def busy(url: str) -> Unavailable:
    """Return the error of a request that waited too long for others of the same user."""
    return Unavailable(
        f"Your storage at {url} is still busy with other requests of yours; try again when some of them have ended."
    )


def disabled(url: str) -> Unavailable:
    """Return the error of an account that its operator has closed."""
    return Unavailable(f"Your account at {url} is disabled: ask the operator of that storage to open it again.")


def led_away(url: str, target: str) -> Unavailable:
    """Return the error of a redirect that the key must not follow."""
    return Unavailable(
        f"Your storage at {url} points to {target}, where your key is not sent: link the storage at its true address."
    )


def dead_credential() -> DeadCredential:
    """Return the error of a key that opens nothing any more."""
    return DeadCredential(
        "Your storage no longer accepts this server's credential; link your storage again on the hub's page Storage."
    )


def changed(shown: str) -> Changed:
    """Return the error of a file that someone wrote to in the middle of a read."""
    return Changed(f"{shown} changed while it was read; try again.")


def conflict(shown: str) -> StorageError:
    """Return the error of a write that would undo someone else's."""
    return StorageError(f"{shown} was changed by someone else meanwhile and was not overwritten; look at both.")


def damaged(shown: str) -> StorageError:
    """Return the error of content that arrives damaged time and again."""
    return StorageError(f"{shown} arrives damaged each time; try again, and tell the operator if it stays.")


def _reason(response: httpx.Response) -> str:
    """Return what the server says about a name that it does not take."""
    with contextlib.suppress(Exception):  # a proxy's page, in HTML or no language at all
        text = fromstring(response.content).findtext("{http://sabredav.org/ns}message") or ""
        return f" ({text.strip().rstrip('.')})" if 0 < len(text.strip()) < _LONGEST_REASON else ""
    return ""
