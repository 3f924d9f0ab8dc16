"""How reports write numbers and call measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.wire import MEASURES

if TYPE_CHECKING:
    from imagine_lib.evaluation.intervals import Interval

NAMES = {
    **MEASURES,
    "weighted_f1": "weighted F1",
    "top_3_accuracy": "top-3 accuracy",
    "top_5_accuracy": "top-5 accuracy",
    "map": "mAP",
    "map_50": "mAP at 0.50",
    "map_75": "mAP at 0.75",
    "recall": "largest recall",
    "mean_iou": "mean IoU",
    "mean_dice": "mean Dice",
    "pixel_accuracy": "pixel accuracy",
}
"""What each measure is called."""

MEANINGS = {
    "accuracy": "right answers among all images, mixed as they are here",
    "balanced_accuracy": "the same if all classes were equally frequent",
    "macro_f1": "found and not mixed up, all classes counting alike",
    "weighted_f1": "found and not mixed up, frequent classes counting more",
    "top_3_accuracy": "the class is among the three most probable",
    "top_5_accuracy": "the class is among the five most probable",
    "map": "found, surest first, and placed well: the mean over ten overlaps and all classes",
    "map_50": "found, if boxes that share half of their area are enough",
    "map_75": "found, with boxes that share three quarters",
    "recall": "the share of the boxes that is found at all, over ten overlaps",
    "mean_iou": "pixels that truth and answer share, over those that either has",
    "mean_dice": "pixels that truth and answer share, over the mean of both",
    "pixel_accuracy": "right pixels among all, the background included",
}
"""What each measure means, in a few words."""


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def span(interval: Interval, sign: str = "") -> str:
    """Return the two ends of an interval."""
    return "none" if interval.low is None else f"{interval.low:{sign}.3f} to {interval.high:{sign}.3f}"


def share(value: float | None, none: str = "-") -> str:
    """Return a share with two digits."""
    return none if value is None else f"{value:.2f}"


def percent(value: float) -> str:
    """Return a share in percent."""
    return f"{value:.0%}".replace("%", " %")


def defined(value: float) -> float | None:
    """Return a number, or None where it is undefined: plain data has no NaN."""
    return None if np.isnan(value) else float(value)
