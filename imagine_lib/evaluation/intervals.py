"""How far a measured number may be from the one that more test images would give.

Images of one sample resemble each other, so the groups are drawn, not the images: a bootstrap over images would call
a number certain that one odd sample could change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse, stats

from imagine_lib.errors import UsageError
from imagine_lib.evaluation.measures import check_classes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

LEVEL = 0.95
FEWEST_GROUPS = 10
AT_ONCE = 50
"""Resamples measured in one call: bounds the memory, about 4 MB a resample with 100 classes."""

NOTE = "An interval leaves out that retraining with another seed would give another model."

MatrixMeasure = Callable[["NDArray[Any]"], "NDArray[np.float64]"]
"""From confusion matrices of shape (..., classes, classes) to values of shape (...) or (..., numbers)."""

Statistic = Callable[["NDArray[np.int64]"], "NDArray[np.float64]"]
"""From how often each group was drawn, shape (groups, resamples), to values (resamples,) or (resamples, numbers)."""


@dataclass(frozen=True)
class Interval:
    """A measured number and the interval around it."""

    estimate: float
    """NaN where it cannot be measured."""
    low: float | None
    """None where no interval is given: :attr:`reason` says why."""
    high: float | None
    groups: int
    """Groups among the images that were measured."""
    reason: str | None = None

    @property
    def side(self) -> int:
        """1 where the whole interval lies above 0, -1 where it lies below; else 0."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; what is undefined is None."""
        return asdict(self) | {"estimate": None if np.isnan(self.estimate) else self.estimate, "level": LEVEL}


@dataclass(frozen=True)
class Bootstrap:
    """How 95 % intervals are made.

    Groups are drawn with replacement, as many as there are. The interval has the width of the percentile interval of
    the resamples, with the tails widened for few groups as Student's t widens the interval of a mean, and is moved by
    the resamples' bias: a rare class drops out of many of them, which moves their macro-F1. A resample in which
    the number is undefined (it drew no image of the class) is left out.

    How often the 95 % interval held the true value in simulations: accuracy 0.94 with 10, 12 and 40 groups (1000
    each); macro-F1 of 30 classes over three orders of magnitude 0.87 with 1,000 images (17 classes with fewer than
    ten), 0.96 with 3,000 and 0.99 with 20,000 (300 each). No bootstrap knows what the rarest classes have not shown.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, sections 10.4 (bias)
    and 13.3 (percentiles). Field and Welsh (2007),
    Bootstrapping clustered data, J. R. Stat. Soc. B 69 (drawing whole groups). Hesterberg (2015), What
    teachers should know about the bootstrap, Am. Stat. 69 (the expanded percentile interval).
    """

    resamples: int = 1000
    seed: int = 0

    def measure(
        self,
        measure: MatrixMeasure,
        truth: NDArray[np.integer],
        answers: NDArray[np.integer],
        groups: Sequence[str] | NDArray[Any],
        classes: int,
    ) -> list[Interval]:
        """Give intervals for what can be measured from a confusion matrix.

        The confusion matrices of the groups are added up: 1000 resamples of 300,000 images in 100 classes cost less
        than a second with some hundred groups, and half a minute where each image is a group of its own.

        Parameters
        ----------
        measure
            Such as :func:`~imagine_lib.evaluation.measures.macro_f1` or ``class_f1``.
        truth, answers
            Shape (images,): numbers of classes.
        groups
            Shape (images,): the group of each image.
        classes
            How many classes there are.

        Returns
        -------
        list of Interval
            One for each value of ``measure``: one, or one a class.

        Raises
        ------
        DataError, UsageError
            As :func:`~imagine_lib.evaluation.measures.confusion_matrix`, or the groups are not one an image.
        """
        table = _group_tables(truth, answers, number_groups(groups, len(truth)), classes)
        return self.resample(lambda drawn: measure(_matrices(table, drawn, classes)), table.shape[0])

    def measure_difference(
        self,
        measure: MatrixMeasure,
        truth: NDArray[np.integer],
        first: NDArray[np.integer],
        second: NDArray[np.integer],
        groups: Sequence[str] | NDArray[Any],
        classes: int,
    ) -> list[Interval]:
        """Give intervals for the second model's measure minus the first's, on the same images.

        Each resample measures both models on the same groups, so what makes an image hard for both cancels.

        Parameters
        ----------
        measure, truth, groups, classes
            As for :meth:`measure`.
        first, second
            Shape (images,): what each model answered.

        Returns
        -------
        list of Interval
            One for each value of ``measure``.

        Raises
        ------
        DataError, UsageError
            As :meth:`measure`.
        """
        unit = number_groups(groups, len(truth))
        one, two = (_group_tables(truth, answers, unit, classes) for answers in (first, second))

        def difference(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
            return measure(_matrices(two, drawn, classes)) - measure(_matrices(one, drawn, classes))

        return self.resample(difference, one.shape[0])

    def resample(self, statistic: Statistic, groups: int) -> list[Interval]:
        """Give intervals for whatever can be computed from how often each group was drawn.

        Parameters
        ----------
        statistic
            Called with all groups drawn once, and then with the resamples, some at a time.
        groups
            How many there are.

        Returns
        -------
        list of Interval
            One for each number that ``statistic`` gives.
        """
        estimates = np.atleast_1d(statistic(np.ones((groups, 1), np.int64))[0])
        if groups < FEWEST_GROUPS:
            reason = f"too few groups for an interval: {groups}, and at least {FEWEST_GROUPS} are needed"
            return [Interval(float(value), None, None, groups, reason) for value in estimates]
        values = np.concatenate([statistic(drawn) for drawn in self._weights(groups)])
        tail = expanded_tail(groups, LEVEL)
        return [
            self._interval(float(value), column[np.isfinite(column)], groups, tail)
            for value, column in zip(estimates, values.reshape(len(values), -1).T, strict=True)
        ]

    def draw(self, groups: int) -> Iterator[NDArray[np.int64]]:
        """Yield the groups of each resample, shape (groups,)."""
        rng = np.random.default_rng(self.seed)
        return (rng.integers(groups, size=groups) for _ in range(self.resamples))

    def _weights(self, groups: int) -> Iterator[NDArray[np.int64]]:
        """Yield how often each group was drawn, shape (groups, resamples at once)."""
        counts = (np.bincount(drawn, minlength=groups) for drawn in self.draw(groups))
        for start in range(0, self.resamples, AT_ONCE):
            yield np.stack([next(counts) for _ in range(min(AT_ONCE, self.resamples - start))], axis=1)

    def _interval(self, estimate: float, values: NDArray[np.float64], groups: int, tail: float) -> Interval:
        if len(values) < self.resamples / 2:
            reason = "most resamples hold no image that it can be measured on"
            return Interval(estimate, None, None, groups, reason)
        low, high = np.quantile(values, [tail, 1 - tail]) - values.mean() + estimate
        return Interval(estimate, float(low), float(high), groups)


def expanded_tail(groups: int, level: float) -> float:
    """Return the share of resamples to cut at each end.

    References
    ----------
    Hesterberg (2015), What teachers should know about the bootstrap, Am. Stat. 69, the expanded percentile interval:
    Phi(-sqrt(n / (n - 1)) t), t the quantile of Student's t with n - 1 degrees of freedom.
    """
    wide = stats.t.ppf((1 + level) / 2, groups - 1) * np.sqrt(groups / (groups - 1))
    return float(stats.norm.cdf(-wide))


def number_groups(groups: Sequence[str] | NDArray[Any], images: int) -> NDArray[np.int64]:
    """Number the groups in the order of their names, shape (images,).

    Raises
    ------
    UsageError
        There is not one group an image.
    """
    _, unit = np.unique(np.asarray(groups), return_inverse=True)
    if len(unit) != images:
        raise UsageError(f"There are {images} images and {len(unit)} groups: give the group of each image.")
    return np.asarray(unit, np.int64).reshape(images)


def _group_tables(
    truth: NDArray[np.integer], answers: NDArray[np.integer], unit: NDArray[np.int64], classes: int
) -> sparse.csr_array:
    """Return the flattened confusion matrix of each group, shape (groups, classes * classes)."""
    check_classes(truth, classes, "true classes")
    check_classes(answers, classes, "answers")
    if len(truth) != len(answers):
        raise UsageError(f"There are {len(truth)} true classes and {len(answers)} answers: give one answer an image.")
    cells = np.asarray(truth, np.int64) * classes + answers
    shape = (int(unit.max()) + 1, classes * classes)
    return sparse.coo_array((np.ones(len(cells), np.int64), (unit, cells)), shape=shape).tocsr()


def _matrices(table: sparse.csr_array, drawn: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return the confusion matrix of each resample, shape (resamples, classes, classes)."""
    matrices: NDArray[np.int64] = (table.T @ drawn).T.reshape(-1, classes, classes)
    return matrices
