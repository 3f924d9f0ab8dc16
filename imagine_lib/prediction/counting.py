"""How many of each class are in each sample."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.evaluation.calibration import calibrate
from imagine_lib.evaluation.counts import ASSUMPTION, CountAdjustment, SampleCounts, fit_counts
from imagine_lib.prediction.answers import ClassAnswers
from imagine_lib.prediction.progress import shown
from imagine_lib.prediction.rule import STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from imagine_lib.prediction.record import Predictions

NOT_CALIBRATED = (
    "The model was not calibrated, so these are plain counts of its answers, not corrected for what it confuses."
)

LEVEL = 0.95


@dataclass(frozen=True)
class CountedSamples:
    """What is in each sample."""

    classes: list[str]
    samples: dict[str | None, SampleCounts]
    """By name, sorted; None for the images without a sample, last."""
    adjusted: bool
    """Whether the counts were corrected for what the model confuses."""
    notes: tuple[str, ...]
    """What to know of them, one sentence each."""


def count_samples(predictions: Predictions, adjusted: bool) -> CountedSamples:
    """Count; see :func:`imagine_lib.prediction.sample_tables.counts_by_sample`."""
    items = predictions.items
    if isinstance(items, ClassAnswers):
        return _count_images(items, _unreadable(predictions), adjusted)
    return _count_objects(predictions, adjusted)


def _count_images(answers: ClassAnswers, unreadable: Counter[str | None], adjusted: bool) -> CountedSamples:
    adjustment = _adjustment(answers) if adjusted else None
    strange = answers.statuses == STATUSES.index("unknown")
    samples: dict[str | None, SampleCounts] = {}
    done = 0
    with shown(None, "Counting") as progress:
        for name, members in _by_sample(answers.samples, unreadable).items():
            positions = np.asarray(members, np.int64)
            beside = int(strange[positions].sum()), unreadable[name]
            if adjustment is None:
                answered = np.bincount(answers.labels[positions], minlength=len(answers.rule.classes))
                samples[name] = _plain(answered, *beside)
            else:
                samples[name] = adjustment.count(answers.probabilities[positions], *beside)
            done += len(positions)
            progress(done, len(answers))
    names = [entry.name for entry in answers.rule.classes]
    return CountedSamples(names, samples, adjustment is not None, _notes(samples.values(), adjusted, adjustment))


def _count_objects(predictions: Predictions, adjusted: bool) -> CountedSamples:
    """Count what was named, which a calibration of whole images says nothing about."""
    classes = sorted(predictions.counts())
    number = {name: index for index, name in enumerate(classes)}
    unreadable = _unreadable(predictions)
    samples: dict[str | None, SampleCounts] = {}
    for name, members in _by_sample(predictions.sample_names, unreadable).items():
        answered = np.zeros(len(classes), np.int64)
        for position in members:
            item = predictions.items[position]
            for thing in item.found or item.top[:1]:
                answered[number[thing.label]] += 1
        samples[name] = _plain(answered, 0, unreadable[name])
    return CountedSamples(classes, samples, False, (NOT_CALIBRATED,) if adjusted else ())


def _adjustment(answers: ClassAnswers) -> CountAdjustment | None:
    given = answers.calibration
    if given is None:
        return None
    return fit_counts(given.truth, calibrate(given.logits, answers.temperature), given.groups.astype(str))


def _plain(answered: NDArray[np.int64], unknown: int, unreadable: int) -> SampleCounts:
    numbers = answered.astype(np.float64)
    return SampleCounts(answered, numbers, None, None, LEVEL, unknown, unreadable, "not corrected", "")


def _by_sample(names: Iterable[str | None], unreadable: Counter[str | None]) -> dict[str | None, list[int]]:
    """Return the positions of the images of each sample, also of samples of which no image could be read."""
    found: defaultdict[str | None, list[int]] = defaultdict(list, {name: [] for name in unreadable})
    for position, name in enumerate(names):
        found[name].append(position)
    return dict(sorted(found.items(), key=lambda pair: (pair[0] is None, pair[0] or "")))


def _unreadable(predictions: Predictions) -> Counter[str | None]:
    return Counter(failure.sample for failure in predictions.errors)


def _notes(samples: Iterable[SampleCounts], adjusted: bool, adjustment: CountAdjustment | None) -> tuple[str, ...]:
    if not adjusted:
        return ()
    if adjustment is None:
        return (NOT_CALIBRATED,)
    reasons = dict.fromkeys(counts.reason for counts in samples if counts.reason)
    return (ASSUMPTION, *(f"No intervals: {reason}." for reason in reasons))
