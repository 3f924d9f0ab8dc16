"""Where a run tells how far it is: a file of events, and whoever watches."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from imagine_lib.notebook import in_notebook

if TYPE_CHECKING:
    from pathlib import Path

Event = dict[str, Any]
"""``type`` (reading, preview, progress, metric, end, message) and what belongs to it; plain data."""

Watcher = Callable[[Event], None]
"""Called with each event as it happens."""

PASSING = frozenset({"progress", "reading"})
"""Events that the next of their kind outdates: of a large training they would fill memory and disk."""

INTERVAL = 1.0
"""Seconds between two of them in the file."""


class EventLog:
    """Keeps the events of a run, one JSON line each, and hands them to the watchers.

    Parameters
    ----------
    path
        The file that is appended to.
    watchers
        Who is told.
    """

    def __init__(self, path: Path, watchers: list[Watcher]) -> None:
        self.events: list[Event] = []
        """All but those that pass."""
        self._path = path
        self._watchers = watchers
        self._written = -INTERVAL
        self._broken = False

    def emit(self, kind: str, **facts: Any) -> Event:
        """Record an event and tell the watchers; return it."""
        event = {"type": kind, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **facts}
        if kind not in PASSING:
            self.events.append(event)
            self._write(event)
        elif time.monotonic() - self._written >= INTERVAL:
            self._written = time.monotonic()
            self._write(event)
        self._tell(event)
        return event

    def recall(self, events: Sequence[Event]) -> None:
        """Tell of what an earlier session of the run has written to the file."""
        self.events.extend(events)
        for event in events:
            self._tell(event)

    def reading(self, done: int, total: int) -> None:
        """Record how many of the images that had to be decoded are."""
        self.emit("reading", done=done, total=total)

    def _tell(self, event: Event) -> None:
        for watcher in self._watchers:
            watcher(event)

    def _write(self, event: Event) -> None:
        """Append to the file; a training is worth more than its log, so a full disk ends only the log."""
        if self._broken:
            return
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(event) + "\n")
        except OSError as error:
            self._broken = True
            self.emit("message", text=f"The log {self._path} cannot be written ({error.strerror}); the run goes on.")


def default_watchers() -> list[Watcher]:
    """Return what suits the place: a widget in a notebook, lines on standard error elsewhere."""
    if in_notebook():
        from imagine_lib.widgets.progress import show_progress

        return [show_progress()]
    return [print_event]


def print_event(event: Event) -> None:
    """Print messages and the end of each epoch to standard error."""
    match event["type"]:
        case "metric":
            line = f"epoch {event['epoch']}/{event['epochs']}  loss {event['loss']:.3f}  "
            print(line + f"{event['score_name']} {event['score']:.3f}", file=sys.stderr)  # noqa: T201
        case "message" | "preview":
            print(event["text"], file=sys.stderr)  # noqa: T201
