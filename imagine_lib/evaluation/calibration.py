"""Make a classifier's probabilities mean what they say, and measure whether they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax

from imagine_lib.errors import UsageError
from imagine_lib.evaluation.measures import check_classes
from imagine_lib.evaluation.wilson import wilson_bounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLDEST, HOTTEST = 0.01, 100.0
"""The temperatures between which one is looked for."""

BINS = 15

BALANCED = frozenset({"logits", "sampling"})
"""Ways of training, as a recipe calls them, after which a network answers as if all classes were equally frequent."""

EVEN_MIX = (
    "The training made all classes count alike, so the probabilities are those of an even class mix: classes that "
    "are rarer than others come out too probable, and frequent ones not probable enough. Adjusted counts allow for "
    "it."
)


@dataclass(frozen=True)
class CalibrationError:
    """How far confidence and accuracy lie apart, beside what chance alone would show with independent images."""

    value: float
    """The measured error, in 0..1."""
    by_chance: float
    """Its mean if the probabilities were exactly right: never 0 with finitely many images."""
    by_chance_at_most: float
    """What it stays below in 95 of 100 such cases."""
    images: int
    bins: int
    simulations: int
    seed: int

    @property
    def shown(self) -> bool:
        """Whether the error is larger than chance explains."""
        return self.value > self.by_chance_at_most

    def __str__(self) -> str:
        verdict = "more than chance explains" if self.shown else "no more than chance explains"
        return (
            f"calibration error {self.value:.3f}, {verdict}: a perfectly calibrated model would show "
            f"{self.by_chance:.3f} on these {self.images:,} images, and at most {self.by_chance_at_most:.3f} "
            "in 95 of 100 cases, if the images were independent; those of one sample are not, and make more by chance"
        )


@dataclass(frozen=True)
class ReliabilityBin:
    """Images of similar confidence."""

    confidence: float
    """Mean probability of the answer."""
    accuracy: float
    """Share of right answers."""
    low: float
    """95 % Wilson interval of that share, as if the images were independent."""
    high: float
    images: int


def fit_temperature(logits: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """Find the temperature by which logits are divided so that their softmax fits the truth best.

    Minimises the negative log-likelihood, which is convex in 1 / temperature. One more image is added whose truth is
    spread over all classes: it changes next to nothing among hundreds, and where every answer is right it keeps the
    temperature from falling without end (n right answers then mean a confidence of about n / (n + 1), not 1).

    Parameters
    ----------
    logits
        Shape (images, classes): of the calibrate split only.
    truth
        Shape (images,): numbers of classes.

    Returns
    -------
    float
        Above 1 where the model was too sure; 1 where the logits say nothing.

    Raises
    ------
    DataError
        There is no image.
    UsageError
        A number is no class, or a logit is not finite.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger (2017), On calibration of modern neural networks, ICML, section 4.2 (temperature
    scaling). Platt (1999), Probabilistic outputs for support vector machines, section 2.2 (targets short of 0 and 1).
    """
    rows = np.asarray(logits, np.float64)
    check_classes(truth, rows.shape[1], "true classes")
    if not np.isfinite(rows).all():
        raise UsageError("Some logits are not finite numbers: predict the calibrate images again.")
    share = 1 / (len(rows) + 1)
    own = rows[np.arange(len(rows)), truth]
    wanted = float(((1 - share) * own + share * rows.mean(axis=1)).mean())
    if np.ptp(rows, axis=1).max() == 0:
        return 1.0

    def loss(log_inverse: float) -> float:
        inverse = np.exp(log_inverse)
        return float(logsumexp(inverse * rows, axis=1).mean() - inverse * wanted)

    bounds = (-np.log(HOTTEST), -np.log(COLDEST))
    return float(np.exp(-minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-5}).x))


def calibrate(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Return calibrated probabilities, shape (images, classes): the softmax of logits / temperature."""
    probabilities: NDArray[np.float64] = softmax(np.asarray(logits, np.float64) / temperature, axis=1)
    return probabilities


def expected_calibration_error(
    truth: NDArray[np.integer],
    probabilities: NDArray[np.floating],
    bins: int = BINS,
    simulations: int = 1000,
    seed: int = 0,
) -> CalibrationError:
    """Measure how far the probability of the answer and the share of right answers lie apart.

    The mean over bins, weighted by their images, of the distance between accuracy and mean confidence. The bins hold
    equally many images; equal confidences share one. The same number is then computed for right and wrong drawn from
    the probabilities themselves, as they would come of a perfectly calibrated model. Each image is drawn for itself:
    images of one sample are right and wrong together, and chance alone then makes a larger error than this.

    300,000 images cost a few seconds.

    Parameters
    ----------
    truth
        Shape (images,): numbers of classes.
    probabilities
        Shape (images, classes).
    bins
        How many bins; fewer come out where confidences are equal.
    simulations
        How many times to draw.
    seed
        Of the draws.

    Returns
    -------
    CalibrationError

    Raises
    ------
    DataError, UsageError
        There is no image, or a number is no class.

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks, ICML, equation 3 (the error). Nixon et al. (2019),
    Measuring calibration in deep learning, CVPR workshops (bins of equal mass). Bröcker and Smith (2007), Increasing
    the reliability of reliability diagrams, Weather and Forecasting 22 (drawing from the forecast itself).
    """
    confidence, right, starts = _binned(truth, probabilities, bins)
    expected = np.add.reduceat(confidence, starts)

    def error(hits: NDArray[np.bool_]) -> float:
        return float(np.abs(np.add.reduceat(hits, starts, dtype=np.int64) - expected).sum() / len(hits))

    rng = np.random.default_rng(seed)
    drawn = [error(rng.random(len(confidence)) < confidence) for _ in range(simulations)]
    most = float(np.quantile(drawn, 0.95))
    return CalibrationError(
        error(right), float(np.mean(drawn)), most, len(confidence), len(starts), simulations, seed
    )


def reliability(
    truth: NDArray[np.integer], probabilities: NDArray[np.floating], bins: int = BINS
) -> list[ReliabilityBin]:
    """Return the table behind a reliability figure, least confident images first.

    Parameters and errors are those of :func:`expected_calibration_error`, and so are the bins.

    Returns
    -------
    list of ReliabilityBin

    References
    ----------
    DeGroot and Fienberg (1983), The comparison and evaluation of forecasters, The Statistician 32.
    """
    confidence, right, starts = _binned(truth, probabilities, bins)
    sizes = np.diff([*starts, len(confidence)])
    hits = np.add.reduceat(right, starts, dtype=np.int64)
    means = np.add.reduceat(confidence, starts) / sizes
    low, high = wilson_bounds(hits, sizes, 0.95)
    columns = (means, hits / sizes, low, high, sizes)
    return [
        ReliabilityBin(float(mean), float(share), float(least), float(most), int(size))
        for mean, share, least, most, size in zip(*columns, strict=True)
    ]


def _binned(
    truth: NDArray[np.integer], probabilities: NDArray[np.floating], bins: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp]]:
    """Return confidence and whether it was right, in the order of confidence, and where each bin starts."""
    check_classes(truth, probabilities.shape[1], "true classes")
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == truth
    order = np.argsort(confidence, kind="stable")
    confidence, right = confidence[order], right[order]
    cuts = confidence[(np.arange(bins) * len(confidence)) // bins]
    return confidence, right, np.unique(np.searchsorted(confidence, cuts, side="left"))
