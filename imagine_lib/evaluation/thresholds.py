"""How sure a model must be of each class so that what it says of it is right as often as the user wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.errors import UsageError
from imagine_lib.evaluation.measures import check_classes
from imagine_lib.evaluation.wilson import wilson_bounds
from imagine_lib.prediction.rule import STATUSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imagine_lib.prediction.rule import AnswerRule

LEVEL = 0.95
"""How sure it must be that the wanted precision is reached."""

NOTE = (
    "The thresholds hold for the class mix that they were chosen on: "
    "where a class is rarer, answers that name it are right less often."
)


@dataclass(frozen=True)
class Thresholds:
    """The lowest probability of each class that is enough."""

    values: tuple[float | None, ...]
    """By class; None where none can be promised."""
    precision: float
    """The wanted share of right answers."""


@dataclass(frozen=True)
class ClassAtThreshold:
    """What a threshold does to one class on other images."""

    threshold: float
    """What is asked of the class."""
    promised: bool
    """Whether the wanted precision is promised there."""
    answers: int
    """Images whose most probable class this is."""
    accepted: int
    """Those of them that are accepted."""
    precision: float | None
    """Share of the accepted that are of the class; None where none was accepted."""
    coverage: float | None
    """Share of the answers that was accepted; None where there was none."""


@dataclass(frozen=True)
class ThresholdTest:
    """What thresholds do on images that they were not chosen on."""

    precision: float | None
    """Share of right answers among the accepted ones; None where none was accepted."""
    coverage: float
    """Share of all images whose answer was accepted."""
    classes: tuple[ClassAtThreshold, ...]


def choose_thresholds(
    truth: NDArray[np.integer],
    probabilities: NDArray[np.floating],
    precision: float = 0.95,
) -> Thresholds:
    """Choose for each class the lowest threshold that is known to be enough.

    Among the images given a class with at least that probability, the lower end of the one-sided Wilson interval of
    the share of right ones must reach the wanted precision. 0.95 needs at least 52 images without an error.

    The lowest of many thresholds is chosen, each tested on the same images, so the level does not hold for the choice
    as it would for one threshold named beforehand. It matters little. In simulations (2000 each; wanted 0.95; 200 to
    10,000 images of a class) of calibrated models, whose precision falls as the threshold falls, the true precision
    was 0.954 to 0.974 in the mean, and below 0.95 in 2.5 to 6 of 100 choices, there 0.94 or more in most. Where the
    precision is the same at every threshold, one was given wrongly in 5 of 100 cases at 0.93, and in 26 of 100 just
    below 0.95, where it does no harm. So nothing is corrected; the test split shows what is reached.

    Parameters
    ----------
    truth
        Shape (images,): numbers of classes, of the calibrate split only.
    probabilities
        Shape (images, classes), calibrated.
    precision
        The wanted share of right answers, above 0 and below 1.

    Returns
    -------
    Thresholds

    Raises
    ------
    DataError
        There is no image.
    UsageError
        A number is no class, or the precision is not between 0 and 1.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference, J. Am. Stat. Assoc. 22.
    """
    classes = probabilities.shape[1]
    check_classes(truth, classes, "true classes")
    if not 0 < precision < 1:
        raise UsageError(f"The precision of a threshold lies between 0 and 1, as in 0.95; this one is {precision:g}.")
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = answers == truth
    given = [answers == label for label in range(classes)]
    values = tuple(_lowest(confidence[mask], right[mask], precision) for mask in given)
    return Thresholds(values, precision)


def measure_thresholds(
    rule: AnswerRule,
    truth: NDArray[np.integer],
    probabilities: NDArray[np.float32],
    energies: NDArray[np.float64],
) -> ThresholdTest:
    """Measure what a prediction accepts, and how much of that is right.

    Parameters
    ----------
    rule
        By which the model's predictions are accepted.
    truth
        Shape (images,): numbers of classes, of the test split.
    probabilities
        Shape (images, classes), calibrated.
    energies
        Shape (images,).

    Returns
    -------
    ThresholdTest

    Raises
    ------
    DataError, UsageError
        There is no image, or a number is no class.
    """
    classes = probabilities.shape[1]
    check_classes(truth, classes, "true classes")
    answers = probabilities.argmax(axis=1)
    accepted = rule.statuses(probabilities, energies) == STATUSES.index("accepted")
    given = np.bincount(answers, minlength=classes)
    sure = np.bincount(answers[accepted], minlength=classes)
    right = np.bincount(answers[accepted & (answers == truth)], minlength=classes)
    rows = tuple(
        ClassAtThreshold(float(value), bool(promised), int(n), int(k), _share(h, k), _share(k, n))
        for value, promised, n, k, h in zip(rule.thresholds, rule.promised, given, sure, right, strict=True)
    )
    return ThresholdTest(_share(right.sum(), sure.sum()), float(sure.sum() / len(truth)), rows)


def _lowest(confidence: NDArray[np.floating], right: NDArray[np.bool_], precision: float) -> float | None:
    order = np.argsort(-confidence, kind="stable")
    confidence, right = confidence[order], right[order]
    hits, trials = np.cumsum(right), np.arange(1, len(right) + 1)
    last_of_equals = np.append(np.diff(confidence) != 0, True)[: len(confidence)]
    enough = (wilson_bounds(hits, trials, LEVEL, sides=1)[0] >= precision) & last_of_equals
    return float(confidence[np.flatnonzero(enough)[-1]]) if enough.any() else None


def _share(part: np.integer, whole: np.integer) -> float | None:
    return float(part / whole) if whole else None
