"""How far a long prediction is: a line now and then, or a text in a notebook that goes away at the end."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from imagine_lib.notebook import in_notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imagine_lib.data.loading import Progress

INTERVAL = 2.0
"""Seconds before the first word, and between two: what takes less needs none."""


@contextmanager
def shown(progress: Progress | None, doing: str = "Predicting") -> Iterator[Progress]:
    """Give what is to be called with the number of images done and of all.

    Parameters
    ----------
    progress
        The caller's own; None for a text in a notebook, and lines on standard error elsewhere.
    doing
        How the text begins.
    """
    if progress is not None:
        yield progress
        return
    place = _Cell() if in_notebook() else _Lines()
    try:
        yield _now_and_then(place.show, doing)
    finally:
        place.clear()


class _Lines:
    def show(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201

    def clear(self) -> None:
        """Leave the lines."""


class _Cell:
    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str) -> None:
        from IPython.display import HTML, display

        if self._handle is None:
            self._handle = display(HTML(text), display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(HTML(text))  # type: ignore[no-untyped-call]

    def clear(self) -> None:
        if self._handle is not None:
            self.show("")


def _now_and_then(show: Callable[[str], None], doing: str) -> Progress:
    started = said = time.monotonic()
    first: int | None = None

    def tell(done: int, total: int) -> None:
        nonlocal said, first
        first = done if first is None else first
        now = time.monotonic()
        if now - said < INTERVAL or done >= total:
            return
        said = now
        rate = (done - first) / (now - started)
        rest = f", about {_duration((total - done) / rate)} left" if rate > 0 else ""
        show(f"{doing}: {done:,} of {total:,} images{rest}")

    return tell


def _duration(seconds: float) -> str:
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(1, round(seconds))} s"
