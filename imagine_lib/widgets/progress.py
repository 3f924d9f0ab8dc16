"""The live progress of a retraining: a bar, the numbers, the curve of the score on the selection images."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

if TYPE_CHECKING:
    from imagine_lib.training.progress import Event, Watcher

HERE = Path(__file__).parent
SHOWN = 6
"""Messages that are kept: each change sends all of them."""

INTERVAL = 0.2
"""Seconds between two updates: more often costs the kernel more than the eye can see."""


class TrainingProgress(anywidget.AnyWidget):
    """What the front end draws; all of it is plain data in ``state``."""

    _esm = HERE / "progress.js"
    _css = HERE / "progress.css"
    state = traitlets.Dict({"epoch": 0, "epochs": 0, "share": 0.0, "history": [], "messages": []}).tag(sync=True)


def show_progress() -> Watcher:
    """Display the widget in the current cell.

    Returns
    -------
    Watcher
        To be called with each event of the run.
    """
    from IPython.display import display

    widget = TrainingProgress()
    display(widget)  # type: ignore[no-untyped-call]
    shown = 0.0

    def watch(event: Event) -> None:
        nonlocal shown
        finished = event["type"] not in ("progress", "reading") or event.get("step") == event.get("steps", -1)
        if finished or time.monotonic() - shown > INTERVAL:
            widget.state = advance(dict(widget.state), event)
            shown = time.monotonic()

    return watch


def advance(state: dict[str, Any], event: Event) -> dict[str, Any]:
    """Return the state of the widget after one more event."""
    match event["type"]:
        case "progress":
            done = event["epoch"] - 1 + event["step"] / event["steps"]
            state |= {"epoch": event["epoch"], "epochs": event["epochs"], "share": done / event["epochs"]}
        case "end":
            state |= {"share": 1.0}
        case "metric":
            row = {key: event[key] for key in ("epoch", "loss", "score", "score_name")}
            state |= {"history": [*state["history"], row]}
        case "reading":
            state |= {"read": event["done"], "to_read": event["total"]}
        case "message" | "preview":
            state |= {"messages": [*state["messages"], event["text"]][-SHOWN:]}
    return state
