"""Every error that a user can meet, in one hierarchy.

The message of each is one sentence of plain language: what happened, where (the file, the name, the value), and
what to do next. The CLI prints it as it is and ends with the class's exit code; notebooks show it alone, without the
traceback through the library (``%debug`` still leads into it).
"""

from __future__ import annotations


class ImagineError(Exception):
    """The root of every error raised on purpose by this library.

    Parameters
    ----------
    message
        One sentence for the user.
    """

    exit_code = 1
    """What the CLI ends with: 1 when the work failed, 2 when it was asked for wrongly."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class Interrupted(KeyboardInterrupt):
    """The user stopped the work; the message says what is left of it."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(ImagineError):
    """An argument, option or name that cannot be right."""

    exit_code = 2


class CatalogueError(ImagineError):
    """The catalogue, or one entry of it, cannot be read."""


class DataError(ImagineError):
    """A data set or an image cannot be used."""


class ModelError(ImagineError):
    """A model package cannot be built, read or trusted."""


class StorageError(ImagineError):
    """The user's storage did not do what was asked of it."""


class PlatformError(ImagineError):
    """The workspace's platform service refused a request or could not be reached."""


class DemonstrationModelError(ImagineError):
    """A demonstration model was asked for something that only a released model may do."""
