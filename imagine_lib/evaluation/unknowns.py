"""Tell images of what the model has never learned from images of its classes.

A classifier gives every image one of its classes, also a bubble. The energy of its logits says how little an image
looks like any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

from imagine_lib.errors import DataError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class UnknownTest:
    """How well energy tells images of what the model has never learned from those of its classes."""

    auroc: float
    """The chance that an image of an unknown class has a higher energy than one of a known class; 0.5 is guessing."""
    images: int
    """Of unknown classes."""
    caught: float | None
    """Share of these that the model's rule calls unknown; None where it has no rule."""
    lost: float | None
    """Share of the images of known classes that it calls unknown too."""


def energy(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the energy of each image, shape (images,): higher is stranger.

    Parameters
    ----------
    logits
        Shape (images, classes), not divided by a temperature.

    References
    ----------
    Liu, Wang, Owens and Li (2020), Energy-based out-of-distribution detection, NeurIPS, equation 4 with T = 1.
    """
    return -np.asarray(logsumexp(np.asarray(logits, np.float64), axis=1))


def fit_energy(logits: NDArray[np.floating], kept: float = 0.95) -> float:
    """Choose the energy above which an image is called unknown.

    Parameters
    ----------
    logits
        Shape (images, classes): of the calibrate split, all of known classes.
    kept
        Share of these images that must stay known.

    Returns
    -------
    float
        The lowest energy that at least this share does not exceed.

    Raises
    ------
    DataError
        There is no image.
    UsageError
        ``kept`` is not above 0 and at most 1.
    """
    if not 0 < kept <= 1:
        raise UsageError(f"The share of known images to keep lies between 0 and 1, as in 0.95; this one is {kept:g}.")
    if len(logits) == 0:
        raise DataError("There are no images to choose a threshold for unknowns with: give it a calibrate split.")
    return float(np.quantile(energy(logits), kept, method="inverted_cdf"))


def measure_unknowns(
    known: NDArray[np.floating], unknown: NDArray[np.floating], threshold: float | None
) -> UnknownTest | None:
    """Measure how well energies tell unknown from known images.

    Parameters
    ----------
    known, unknown
        Energies, shape (images,). Unknown ones are of classes that were withheld from all training of the model and
        of its ancestors.
    threshold
        The model's rule: :func:`fit_energy`.

    Returns
    -------
    UnknownTest or None
        None, not measured, where either has no image: known images cannot tell how many unknown ones are found.

    References
    ----------
    Hanley and McNeil (1982), The meaning and use of the area under a receiver operating characteristic (ROC) curve,
    Radiology 143.
    """
    if len(unknown) == 0 or len(known) == 0:
        return None
    from sklearn.metrics import roc_auc_score

    strange = np.repeat([False, True], [len(known), len(unknown)])
    auroc = float(roc_auc_score(strange, np.concatenate([known, unknown])))
    caught, lost = (None if threshold is None else float((part > threshold).mean()) for part in (unknown, known))
    return UnknownTest(auroc, len(unknown), caught, lost)
