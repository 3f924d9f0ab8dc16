"""The class mix that best explains a sample, and the probabilities that it is found from.

Everything here is done for many resamples at once: a column of weights says how often each image was drawn, and a
step for all columns is two products of matrices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-6
"""Change of a share of the mix in one step at which it has been found."""
MOST_STEPS = 2000
SCALE_TOLERANCE = 2e-3
"""Relative error at which a class's mean is its share: well below what the number of its images makes uncertain."""
FAST_STEPS = 40
FURTHEST = 2.0
"""Logarithm of the largest correction in one step."""


def fit_scale(
    table: NDArray[np.float64],
    shares: NDArray[np.float64],
    weights: NDArray[np.float64],
    start: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return, for each column, by what to multiply probabilities so that their means are the shares.

    Iterative scaling corrects each class as if the others stayed, which leaves the error times the overlap of the
    classes: dividing by 1 - overlap makes hundreds of steps a few. With a ``start`` the overlap there serves all
    columns. Where the sign of an error turns, the step was too long and the next ones are halved. Plain steps, which
    always converge, finish what is left.
    """
    known = weights / weights.sum(axis=0)
    scale = np.ones_like(shares) if start is None else np.repeat(start, shares.shape[1], axis=1)
    overlap = None if start is None else _overlap(table * start.T)
    pace, before = np.ones_like(shares), np.zeros_like(shares)
    for step in range(MOST_STEPS):
        means = scale * (table.T @ (known / _positive(table @ scale)))
        error = np.log(shares / _positive(means))
        if np.abs(error).max() < SCALE_TOLERANCE:
            break
        if step < FAST_STEPS:
            pace, before = np.where(error * before < 0, pace / 2, pace), error
            between = _overlap(table * scale.T) if overlap is None else overlap
            # Scaling all classes alike changes nothing: adding a constant makes 1 - overlap invertible.
            error = np.linalg.solve(np.eye(len(shares)) - between + 1 / len(shares), error)
            error = np.clip((error - error.mean(axis=0)) * pace, -FURTHEST, FURTHEST)
        scale = scale * np.exp(error)
        scale /= scale.mean(axis=0)
    return scale


def _overlap(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean probabilities of images of each class: shape (classes, classes), rows add up to 1."""
    posterior = table / _positive(table.sum(axis=1, keepdims=True))
    return (posterior.T @ posterior) / _positive(posterior.sum(axis=0))[:, None]


def count_shares(
    table: NDArray[np.float64], held: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of each class as counted, drawn to the model's own where there is little to count."""
    expected, counted = table.T @ weights, held.T @ weights
    shares: NDArray[np.float64] = expected * (counted + 1) / (expected + 1)
    return np.asarray(shares / shares.sum(axis=0))


def find_mix(
    table: NDArray[np.float64], weights: NDArray[np.float64], likelihood: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the class mix that best explains each column of weighted images: shape (classes, columns)."""
    classes = table.shape[1]
    images = weights.sum(axis=0)
    mix = np.full((classes, weights.shape[1]), 1 / classes)
    if not len(table):
        return mix
    for _ in range(MOST_STEPS):
        factor = mix * likelihood
        updated = factor * (table.T @ (weights / _positive(table @ factor))) / _positive(images)
        change = np.abs(updated - mix).max()
        mix = updated
        if change < TOLERANCE:
            break
    return mix


def _positive(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(values, np.finfo(np.float64).tiny)
