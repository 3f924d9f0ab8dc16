"""What the drive refuses, in one sentence for the user."""

from __future__ import annotations

from tornado import web


class Refused(web.HTTPError):
    """A question that gets a sentence for an answer.

    Parameters
    ----------
    status
        The HTTP status for the browser.
    sentence
        What happened, where, and what to do next. Kept apart from tornado's own text, which is a format for a log.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(status)
        self.sentence = sentence
