"""From the lines that trainings leave to a table: who is how fast to an equally good model, and how good at the end."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import numpy as np

from imagine_lib.evaluation.intervals import Bootstrap
from imagine_lib.evaluation.measures import confusion_matrix, macro_f1

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from imagine_lib.evaluation.intervals import Interval
    from tests.benchmarks.hardware import Row

TARGET = 0.98
"""Share of the best peer's final macro-F1 that counts as equally good."""

Key = tuple[str, int, str]
"""Start, fold, system."""


@dataclass
class Training:
    """What one system did on one fold."""

    epochs: list[tuple[float, float]] = field(default_factory=list)
    """Seconds so far and macro-F1 on the images to choose with."""
    select: float = math.nan
    """Macro-F1 of the model that was kept, on the images to choose with."""
    names: list[str] = field(default_factory=list)
    truth: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Of the test images."""


def key_of(line: Mapping[str, Any]) -> Key:
    """Return which training a line is of."""
    return line["start"], line["fold"], line["system"]


def finished(lines: Iterable[Mapping[str, Any]]) -> dict[Key, Training]:
    """Return the trainings that came to their end; a line without an epoch is a training's last."""
    begun: dict[Key, Training] = {}
    done: dict[Key, Training] = {}
    for line in lines:
        key = key_of(line)
        training = begun.setdefault(key, Training())
        if "epoch" in line:
            training.epochs.append((line["seconds"], line["score"]))
        else:
            training.select, training.names = line["select"], line["names"]
            training.truth, training.answers = line["truth"], line["answers"]
            done[key] = training
    return done


def time_to(target: float, epochs: Sequence[tuple[float, float]]) -> float:
    """Return the seconds at the second of two epochs running that meet a target; infinite where there are none.

    Not a number where the target is none.
    """
    if math.isnan(target):
        return math.nan
    pairs = pairwise(epochs)
    return next((second[0] for first, second in pairs if min(first[1], second[1]) >= target), math.inf)


def best_peer(trainings: Mapping[str, Sequence[Training]], ours: Iterable[str]) -> str | None:
    """Return the peer whose mean final macro-F1 on the images to choose with is highest; None where none ran."""
    final = {name: mean(one.epochs[-1][1] for one in runs) for name, runs in trainings.items() if name not in ours}
    return max(sorted(final), key=lambda name: final[name], default=None)


def difference(peer: Sequence[Training], ours: Sequence[Training]) -> Interval:
    """Return how much higher our macro-F1 on the test images of all folds is, with its paired 95 % interval.

    Bootstrap over images: each resample measures both on the same ones.
    """
    names = [name for one in ours for name in one.names]
    if names != [name for one in peer for name in one.names]:
        raise ValueError("the two were not tested on the same images")
    truth, first, second = (
        np.asarray(values)
        for values in (
            [target for one in ours for target in one.truth],
            [answer for one in peer for answer in one.answers],
            [answer for one in ours for answer in one.answers],
        )
    )
    classes = int(max(truth.max(), first.max(), second.max())) + 1
    return Bootstrap().measure_difference(macro_f1, truth, first, second, names, classes)[0]


def judge(start: str, trainings: Mapping[str, Sequence[Training]], ours: Sequence[str]) -> list[Row]:
    """Return a row a system.

    Parameters
    ----------
    start
        With which weights they began.
    trainings
        By system one training a fold, the same folds in the same order.
    ours
        Which of them are this library's.
    """
    peer = best_peer(trainings, ours)
    final = mean(one.epochs[-1][1] for one in trainings[peer]) if peer else math.nan
    times = {name: [time_to(TARGET * final, one.epochs) for one in runs] for name, runs in trainings.items()}
    reached = (median(times[name]) for name in trainings if name not in ours)
    fastest = min((seconds for seconds in reached if math.isfinite(seconds)), default=math.nan)
    return [
        {
            "start": start,
            "system": name,
            "folds": len(runs),
            "target_macro_f1": _number(TARGET * final, 4),
            "median_seconds_to_target": _number(median(times[name]), 1),
            "ratio_to_fastest_peer": _number(median(times[name]) / fastest, 3),
            "seconds_to_target_by_fold": " ".join(_number(seconds, 1) for seconds in times[name]),
            "seconds_of_all_epochs": _number(mean(one.epochs[-1][0] for one in runs), 1),
            "last_epoch_macro_f1": _number(mean(one.epochs[-1][1] for one in runs), 4),
            "kept_macro_f1": _number(mean(one.select for one in runs), 4),
            "test_macro_f1": _number(_test(runs), 4),
            **_compared(peer, name, trainings),
        }
        for name, runs in trainings.items()
    ]


def _compared(peer: str | None, name: str, trainings: Mapping[str, Sequence[Training]]) -> Row:
    if peer is None or peer == name:
        return {"compared_with": "", "test_difference": "", "low": "", "high": ""}
    found = difference(trainings[peer], trainings[name])
    low, high = (math.nan if end is None else end for end in (found.low, found.high))
    values = {"test_difference": found.estimate, "low": low, "high": high}
    return {"compared_with": peer, **{key: _number(value, 4) for key, value in values.items()}}


def _test(runs: Sequence[Training]) -> float:
    truth = np.asarray([target for one in runs for target in one.truth])
    answers = np.asarray([answer for one in runs for answer in one.answers])
    return float(macro_f1(confusion_matrix(truth, answers, int(max(truth.max(), answers.max())) + 1)))


def _number(value: float, digits: int) -> str:
    if math.isnan(value):
        return "not measured"
    return "failed" if math.isinf(value) else f"{value:.{digits}f}"
