"""From counts to individuals in a volume of water."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from imagine_lib.errors import DataError, UsageError
from imagine_lib.evaluation.counts import ASSUMPTION

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imagine_lib.evaluation.counts import SampleCounts

LITRES = {"L": 1.0, "m3": 1000.0}
"""Litres in each unit of volume."""


@dataclass(frozen=True)
class Abundance:
    """Individuals in a volume of water; every array has shape (classes,)."""

    adjusted: NDArray[np.float64]
    low: NDArray[np.float64] | None
    high: NDArray[np.float64] | None
    total: float
    """With the unreadable."""
    unit: str
    """Such as ``individuals per L``."""
    assumption: str = ASSUMPTION


def abundance(
    counts: SampleCounts, volume: float | None, subsampling: float = 1.0, unit: Literal["L", "m3"] = "L"
) -> Abundance:
    """Turn counts into individuals in a volume of water: count x subsampling / volume.

    The interval does not hold what is uncertain about volume and subsampling.

    Parameters
    ----------
    counts
        Of one sample.
    volume
        Water that was filtered or imaged, in litres.
    subsampling
        How many times more was in the sample than was imaged.
    unit
        The unit of volume of the answer.

    Returns
    -------
    Abundance

    Raises
    ------
    DataError
        There is no volume, or volume or subsampling is not above 0.
    UsageError
        The unit is neither ``L`` nor ``m3``.
    """
    if unit not in LITRES:
        raise UsageError(f"Abundance is given per L or per m3, not per {unit}.")
    if volume is None:
        raise DataError(
            "The sample has no volume, so there is no abundance: add the litres of water to the data set's table."
        )
    for name, value in (("volume", volume), ("subsampling", subsampling)):
        if not (np.isfinite(value) and value > 0):
            raise DataError(f"The {name} of the sample is {value:g} and must be above 0: correct it in the data set.")
    factor = subsampling / volume * LITRES[unit]
    low, high = (None if bound is None else bound * factor for bound in (counts.low, counts.high))
    return Abundance(counts.adjusted * factor, low, high, counts.total * factor, f"individuals per {unit}")
