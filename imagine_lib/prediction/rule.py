"""From probabilities to a status: accepted, below the threshold, or unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from imagine_lib.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from imagine_lib.prediction.record import Status
    from imagine_lib.wire import ClassEntry, ModelManifest

THRESHOLD = 0.5
"""An answer less probable than this is marked: something else would then be about as likely."""

STATUSES: Final[tuple[Status, ...]] = ("accepted", "below_threshold", "unknown")

NAMED = 8
"""Classes that a sentence names; the rest is counted."""


@dataclass(frozen=True)
class AnswerRule:
    """What a model's answers are measured by."""

    classes: tuple[ClassEntry, ...]
    """In the order of the probabilities."""
    thresholds: NDArray[np.float64]
    """The least probability of an answer by class; shape (classes,)."""
    promised: NDArray[np.bool_]
    """Of which classes the calibration promises a precision at that threshold; shape (classes,)."""
    unknown_above: float | None
    """Energy above which an image is called unknown."""
    note: str
    """For which classes no precision is promised; empty where one is promised for all."""

    def statuses(self, probabilities: NDArray[np.float32], energies: NDArray[np.float64]) -> NDArray[np.int8]:
        """Return the position in ``STATUSES`` of each image's status.

        Parameters
        ----------
        probabilities
            Shape (n, classes).
        energies
            Shape (n,).

        Returns
        -------
        numpy.ndarray
            Shape (n,).
        """
        needed = self.thresholds[probabilities.argmax(axis=1)]
        found: NDArray[np.int8] = (probabilities.max(axis=1, initial=0) < needed).astype(np.int8)
        if self.unknown_above is not None:
            found[energies > self.unknown_above] = STATUSES.index("unknown")
        return found


def rule_of(manifest: ModelManifest, threshold: float | None) -> AnswerRule:
    """Return the rule of a model.

    Parameters
    ----------
    manifest
        The model's.
    threshold
        One for all classes; None for the calibration's own, and ``THRESHOLD`` where it has none.

    Returns
    -------
    AnswerRule

    Raises
    ------
    UsageError
        The threshold is no probability.
    """
    require_probability(threshold)
    classes = tuple(manifest.classes)
    calibration = manifest.calibration
    unknown_above = calibration.unknown_above if calibration is not None else None
    if threshold is not None:
        note = f"No precision is promised for any class: the threshold {threshold:g} was given by hand."
        return _one_for_all(classes, threshold, unknown_above, note)
    if calibration is None:
        note = f"No precision is promised for any class: the model was not calibrated; {THRESHOLD:g} is asked of all."
        return _one_for_all(classes, THRESHOLD, None, note)
    values = np.array([THRESHOLD if value is None else value for value in calibration.thresholds], np.float64)
    promised = np.array([value is not None for value in calibration.thresholds])
    bare = [entry.name for entry, is_promised in zip(classes, promised, strict=True) if not is_promised]
    note = _bare_classes(bare, len(classes), calibration.precision)
    return AnswerRule(classes, values, promised, unknown_above, note)


def require_probability(threshold: float | None) -> None:
    """Refuse a threshold that is given and is no probability.

    Raises
    ------
    UsageError
        It is none.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise UsageError(f"A threshold is a probability between 0 and 1, like 0.8, and not {threshold:g}.")


def _one_for_all(
    classes: tuple[ClassEntry, ...], threshold: float, unknown_above: float | None, note: str
) -> AnswerRule:
    values = np.full(len(classes), threshold, np.float64)
    return AnswerRule(classes, values, np.zeros(len(classes), bool), unknown_above, note)


def _bare_classes(bare: Sequence[str], classes: int, precision: float) -> str:
    if not bare:
        return ""
    which = "any class" if len(bare) == classes else _listed(bare)
    return (
        f"A precision of {precision:.0%} is not promised for {which}: "
        f"the calibration had too few sure images, and {THRESHOLD:g} is asked there."
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    shown = list(names[:NAMED]) + ([f"{more} more classes" if more > 1 else "1 more class"] if more > 0 else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
