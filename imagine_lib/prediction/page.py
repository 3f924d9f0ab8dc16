"""What a notebook shows of predictions."""

from __future__ import annotations

import html
from collections import Counter
from typing import TYPE_CHECKING

from imagine_lib.prediction.answers import ClassAnswers
from imagine_lib.prediction.record import DEMONSTRATION
from imagine_lib.prediction.rule import STATUSES
from imagine_lib.wire import ModelStatus, Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imagine_lib.prediction.record import Predictions

FAILURES = 10
"""Unreadable images that are named; the rest is counted."""

HEADS = {"accepted": "accepted", "below_threshold": "below the threshold", "unknown": "unknown"}


def render_predictions(predictions: Predictions) -> str:
    """Return HTML: how many images got each class and status, what to know of them, and what could not be read."""
    images = f"{len(predictions):,} image{'' if len(predictions) == 1 else 's'}"
    lines = [f"<p><strong>{images}</strong>, model <code>{html.escape(predictions.model)}</code></p>"]
    if predictions.model_status == ModelStatus.DEMONSTRATION:
        lines.append(f'<p role="note">⚠ {DEMONSTRATION}</p>')
    lines.append(_table(predictions))
    lines += [f"<p>{html.escape(note)}</p>" for note in predictions.notes]
    lines += [f"<p>Not read: {html.escape(failure.message)}</p>" for failure in predictions.errors[:FAILURES]]
    more = len(predictions.errors) - FAILURES
    if more > 0:
        lines.append(f"<p>{more:,} more image{'s' if more > 1 else ''} could not be read.</p>")
    return "\n".join(lines)


def _table(predictions: Predictions) -> str:
    counts = predictions.counts()
    by_status = _by_status(predictions)
    shown = [status for status in STATUSES if any(by_status[label, status] for label in counts)]
    if len(shown) < 2:
        shown = []
    rows = "".join(
        _row("td", [label, f"{count:,}", *(f"{by_status[label, status]:,}" for status in shown)])
        for label, count in counts.items()
    )
    counted = "images" if predictions.task == Task.CLASSIFICATION else "objects"
    head = _row("th", ["class", counted, *(HEADS[status] for status in shown)])
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _by_status(predictions: Predictions) -> Counter[tuple[str, str]]:
    items = predictions.items
    if isinstance(items, ClassAnswers):
        names = [entry.name for entry in items.rule.classes]
        pairs = zip(items.labels.tolist(), items.statuses.tolist(), strict=True)
        return Counter((names[label], STATUSES[status]) for label, status in pairs)
    return Counter((thing.label, item.status) for item in items for thing in item.found or item.top[:1])


def _row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"
