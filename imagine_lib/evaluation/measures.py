"""How good the answers of a classifier are, each measure as a number.

Everything but top-k follows from the confusion matrix, so the functions here take matrices with any leading axes:
a bootstrap measures a thousand of them in one call, which scikit-learn's functions (one set of answers a call)
cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from imagine_lib.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassMeasures:
    """The measures of each class; every array has shape (..., classes)."""

    precision: NDArray[np.float64]
    """Share of the images given this class that are of it; NaN where none was given it."""
    recall: NDArray[np.float64]
    """Share of the images of this class that were given it; NaN where there is none."""
    f1: NDArray[np.float64]
    """Harmonic mean of the two; NaN for a class that neither the truth nor the answers have."""
    support: NDArray[np.int64]
    """Images of the class."""

    def to_rows(self, labels: Sequence[str]) -> list[dict[str, Any]]:
        """Return one mapping a class, as plain data: what is undefined is None."""
        columns = (self.precision, self.recall, self.f1)
        return [
            {
                "label": label,
                **{
                    name: None if np.isnan(column[row]) else float(column[row])
                    for name, column in zip(("precision", "recall", "f1"), columns, strict=True)
                },
                "support": int(self.support[row]),
            }
            for row, label in enumerate(labels)
        ]


@dataclass(frozen=True)
class Confused:
    """Images of one class that were taken for another."""

    truth: int
    answer: int
    count: int
    share: float
    """Of the images of the true class."""


def confusion_matrix(truth: NDArray[np.integer], answers: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Count the images of each true class by the answer they got.

    Parameters
    ----------
    truth, answers
        Shape (images,): numbers of classes, 0 to ``classes`` - 1.
    classes
        How many classes there are.

    Returns
    -------
    numpy.ndarray
        Shape (classes, classes): rows are the truth, columns the answers.

    Raises
    ------
    DataError
        There is no image.
    UsageError
        The two differ in length, or a number is no class.
    """
    for name, numbers in (("true classes", truth), ("answers", answers)):
        check_classes(numbers, classes, name)
    if len(truth) != len(answers):
        raise UsageError(f"There are {len(truth)} true classes and {len(answers)} answers: give one answer an image.")
    cells = np.asarray(truth, np.int64) * classes + answers
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def check_classes(numbers: NDArray[np.integer], classes: int, name: str) -> None:
    """Refuse what cannot be the classes of images.

    Raises
    ------
    DataError
        There is none.
    UsageError
        One is below 0 or not below ``classes``.
    """
    if len(numbers) == 0:
        raise DataError(f"There are no {name} to measure with: choose a data set that has labelled images.")
    if numbers.min() < 0 or numbers.max() >= classes:
        raise UsageError(
            f"The {name} hold {numbers.min()} to {numbers.max()}; classes are numbered from 0 to {classes - 1}."
        )


def accuracy(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Return the share of right answers, shape (...), from confusion matrices of shape (..., classes, classes)."""
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def balanced_accuracy(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean recall of the classes that the truth has, shape (...).

    References
    ----------
    Brodersen et al. (2010), The balanced accuracy and its posterior distribution, ICPR, section 2, for two classes;
    the mean over more is scikit-learn's ``balanced_accuracy_score``.
    """
    return mean_of_present(measure_classes(confusion).recall, confusion)


def macro_f1(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean F1 of the classes that the truth has, shape (...).

    A class that the model knows and the truth lacks is left out of the mean: its F1 would be 0 however good the model
    is. Answers that name it still count as misses of the true class.

    References
    ----------
    Opitz and Burst (2019), Macro F1 and Macro F1, arXiv:1911.03347 (here the mean of F1, not F1 of the means).
    """
    return mean_of_present(measure_classes(confusion).f1, confusion)


def mean_of_present(values: NDArray[np.float64], confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean, shape (...), of values of shape (..., classes) over the classes that the truth has."""
    present = confusion.sum(axis=-1) > 0
    return _ratio(np.where(present, values, 0).sum(axis=-1), present.sum(axis=-1))


def weighted_f1(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean F1 weighted by the images of each class, shape (...)."""
    support = confusion.sum(axis=-1)
    f1 = np.where(support > 0, measure_classes(confusion).f1, 0)
    return _ratio((f1 * support).sum(axis=-1), support.sum(axis=-1))


def class_f1(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Return F1 of each class, shape (..., classes); NaN for a class that the truth lacks."""
    return np.where(confusion.sum(axis=-1) > 0, measure_classes(confusion).f1, np.nan)


def measure_classes(confusion: NDArray[Any]) -> ClassMeasures:
    """Measure each class.

    Parameters
    ----------
    confusion
        Shape (..., classes, classes): rows are the truth, columns the answers.

    Returns
    -------
    ClassMeasures

    References
    ----------
    van Rijsbergen (1979), Information Retrieval, 2nd edition, chapter 7: precision, recall, and F with equal weight
    to both, here as 2 TP / (2 TP + FP + FN).
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    given, support = confusion.sum(axis=-2), confusion.sum(axis=-1)
    return ClassMeasures(_ratio(right, given), _ratio(right, support), _ratio(2 * right, given + support), support)


def top_k_hits(truth: NDArray[np.integer], probabilities: NDArray[np.floating], k: int) -> NDArray[np.bool_]:
    """Return whether the true class of each image is among the k most probable, shape (images,).

    Parameters
    ----------
    truth
        Shape (images,): numbers of classes.
    probabilities
        Shape (images, classes). Of equal ones the lower class number goes first, as in ``argmax``.
    k
        From 1 to the number of classes.

    Raises
    ------
    DataError, UsageError
        As :func:`confusion_matrix`; or ``k`` is out of range.
    """
    classes = probabilities.shape[1]
    check_classes(truth, classes, "true classes")
    if not 1 <= k <= classes:
        raise UsageError(f"Top-{k} has no meaning for {classes} classes: choose from 1 to {classes}.")
    own = probabilities[np.arange(len(truth)), truth][:, None]
    before = np.arange(classes) < np.asarray(truth)[:, None]
    ahead = (probabilities > own) | ((probabilities == own) & before)
    return np.asarray(ahead.sum(axis=1) < k)


def most_confused(confusion: NDArray[np.integer], most: int = 10) -> list[Confused]:
    """List the mistakes that are made most often.

    Parameters
    ----------
    confusion
        Shape (classes, classes): rows are the truth, columns the answers.
    most
        How many pairs at most. A taken for B and B taken for A are two pairs.

    Returns
    -------
    list of Confused
        Most frequent first; of equally frequent ones the larger share of its true class first, then the lower
        numbers.
    """
    support = confusion.sum(axis=1)
    wrong = confusion - np.diag(np.diag(confusion))
    pairs = [
        Confused(int(row), int(column), int(wrong[row, column]), float(wrong[row, column] / support[row]))
        for row, column in np.argwhere(wrong)
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share, pair.truth, pair.answer))[:most]


def summary(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Return what :data:`SUMMARY` names, shape (..., 4), from matrices of shape (..., classes, classes)."""
    return np.stack([measure(confusion) for measure in SUMMARY.values()], axis=-1)


SUMMARY: dict[str, Callable[[NDArray[Any]], NDArray[np.float64]]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
    "weighted_f1": weighted_f1,
}
"""The measures of one number each, by the names that reports and files give them."""


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """Divide; NaN where there is nothing to divide by."""
    share = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=share, where=np.asarray(whole) > 0)
    return share
