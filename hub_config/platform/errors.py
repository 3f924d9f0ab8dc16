"""Why a request cannot be done: raised by logic and store, which know no HTTP; ``api.problems`` speaks it.

Each message is one sentence for the user: what happened, where, and what to do next.
"""

from __future__ import annotations

from typing import Any


class Refusal(Exception):  # noqa: N818 - most are answers, not errors
    """The root of every refusal.

    Parameters
    ----------
    message
        One sentence for the user.
    **extra
        Facts for the client's program, added to the problem document.
    """

    def __init__(self, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.extra = extra


class NotSignedIn(Refusal):
    """There is no token, or the hub does not know it."""


class NotAllowed(Refusal):
    """The user is known, and may not."""


class NotFound(Refusal):
    """It does not exist, or the user may not know that it does."""


class Conflict(Refusal):
    """It does not fit what is there already."""


class Gone(Refusal):
    """It was taken back."""


class TooLarge(Refusal):
    """It is larger than the settings allow."""


class Invalid(Refusal):
    """What was sent cannot be right."""


class Damaged(Refusal):
    """A stored file is gone or changed behind our back."""


class Full(Refusal):
    """There is no room left."""


class Unavailable(Refusal):
    """Something that the platform needs does not answer; later it may."""
