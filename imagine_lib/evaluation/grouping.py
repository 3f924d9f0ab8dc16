"""Answers counted group by group, so that drawing a group anew is to add up what was counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from imagine_lib.errors import UsageError
from imagine_lib.evaluation.measures import check_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


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


def group_tables(
    truth: NDArray[np.integer], answers: NDArray[np.integer], unit: NDArray[np.int64], classes: int
) -> sparse.csr_array:
    """Return the flattened confusion matrix of each group, shape (groups, classes * classes).

    Parameters
    ----------
    truth, answers
        Shape (images,): numbers of classes.
    unit
        From :func:`number_groups`.
    classes
        How many classes there are.

    Raises
    ------
    DataError, UsageError
        There is no image, a number is no class, or there is not one answer an image.
    """
    check_classes(truth, classes, "true classes")
    check_classes(answers, classes, "answers")
    if len(truth) != len(answers):
        raise UsageError(f"There are {len(truth)} true classes and {len(answers)} answers: give one answer an image.")
    cells = np.asarray(truth, np.int64) * classes + answers
    shape = (int(unit.max()) + 1, classes * classes)
    return sparse.coo_array((np.ones(len(cells), np.int64), (unit, cells)), shape=shape).tocsr()


def add_up(table: sparse.csr_array, drawn: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return the confusion matrix of each resample, shape (resamples, classes, classes).

    Parameters
    ----------
    table
        From :func:`group_tables`.
    drawn
        How often each group was drawn, shape (groups, resamples).
    classes
        How many classes there are.
    """
    matrices: NDArray[np.int64] = (table.T @ drawn).T.reshape(-1, classes, classes)
    return matrices
