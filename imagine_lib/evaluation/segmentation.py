"""How well masks agree with the true ones, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from imagine_lib.errors import UsageError
from imagine_lib.evaluation.measures import accuracy, confusion_matrix, mean_of_present, measure_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class MaskMeasures:
    """The measures of masks: of each class, shape (..., classes), and of all, shape (...).

    NaN for a class that neither truth nor answer has, and where there is no pixel.
    """

    iou: NDArray[np.float64]
    """Pixels that both have, over pixels that either has."""
    dice: NDArray[np.float64]
    """Twice the pixels that both have, over the pixels of the one plus those of the other."""
    pixels: NDArray[np.int64]
    """True pixels."""
    mean_iou: NDArray[np.float64]
    """Over the classes that the truth has."""
    mean_dice: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    """Share of right pixels."""


def mask_confusion(
    truth: NDArray[np.integer], answer: NDArray[np.integer], classes: int, ignore: int | None = None
) -> NDArray[np.int64]:
    """Count the pixels of each true class by the class that they were given.

    Add up the matrices of all images, or of each group for an interval.

    Parameters
    ----------
    truth, answer
        Of one shape: the number of each pixel's class.
    classes
        How many classes there are.
    ignore
        A number in ``truth`` for pixels that are not measured.

    Returns
    -------
    numpy.ndarray
        Shape (classes, classes): rows are the truth, columns the answers.

    Raises
    ------
    UsageError
        The masks differ in shape, or a measured pixel holds a number that is no class.
    """
    if truth.shape != answer.shape:
        raise UsageError(
            f"The true mask has shape {truth.shape} and the answer {answer.shape}: give both at the image's size."
        )
    measured = np.ones(truth.shape, bool) if ignore is None else truth != ignore
    if not measured.any():
        return np.zeros((classes, classes), np.int64)
    return confusion_matrix(truth[measured], answer[measured], classes)


def measure_masks(confusion: NDArray[Any]) -> MaskMeasures:
    """Measure masks from the matrix of all images together.

    Parameters
    ----------
    confusion
        Shape (..., classes, classes): sums of what :func:`mask_confusion` gives, of all images or of each resample.

    Returns
    -------
    MaskMeasures
        The means are over the classes that the truth has, so a class that is nowhere does not count as 0.

    References
    ----------
    Everingham et al. (2015), The Pascal visual object classes challenge: a retrospective, IJCV 111
    (IoU over all images together). Dice (1945), Measures of the amount of ecologic association between species,
    Ecology 26: of pixels the same number as F1, and IoU = Dice / (2 - Dice).
    """
    dice = measure_classes(confusion).f1
    iou = dice / (2 - dice)
    return MaskMeasures(
        iou=iou,
        dice=dice,
        pixels=confusion.sum(axis=-1),
        mean_iou=mean_of_present(iou, confusion),
        mean_dice=mean_of_present(dice, confusion),
        accuracy=accuracy(confusion),
    )
