"""Bounds of a share that was counted."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def wilson_bounds(
    hits: NDArray[Any], trials: NDArray[Any], level: float, *, sides: int = 2
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bound a share that was seen as so many hits in so many trials.

    Parameters
    ----------
    hits, trials
        Counts, of one shape; without trials the bounds are 0 and 1.
    level
        Such as 0.95.
    sides
        2: both bounds hold together at the level; 1: each holds alone.

    Returns
    -------
    tuple of numpy.ndarray
        Lower and upper bound.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference, J. Am. Stat. Assoc. 22; as
    equation 4 of Brown, Cai and DasGupta (2001), Interval estimation for a binomial proportion, Stat. Sci. 16.
    """
    z = NormalDist().inv_cdf(1 - (1 - level) / sides)
    hits, trials = np.asarray(hits, float), np.asarray(trials, float)
    share = np.divide(hits, trials, out=np.full(trials.shape, 0.5), where=trials > 0)
    centre = hits + z * z / 2
    half = z * np.sqrt(trials * share * (1 - share) + z * z / 4)
    low, high = (centre - half) / (trials + z * z), (centre + half) / (trials + z * z)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)
