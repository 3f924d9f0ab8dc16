"""Masks are measured over all pixels of all images, as scikit-learn would."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings

from imagine_lib.errors import UsageError
from imagine_lib.evaluation.segmentation import mask_confusion, measure_masks


def masks(seed: int, classes: int = 4, side: int = 9) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=(side, side))
    return truth, np.where(rng.random(truth.shape) < 0.7, truth, rng.integers(classes, size=truth.shape))


def test_a_worked_example() -> None:
    """A 2 x 4 image: class 1 has 4 true and 3 given pixels, 2 of them in both."""
    truth = np.array([[0, 0, 1, 1], [0, 0, 1, 1]])
    answer = np.array([[0, 0, 1, 0], [0, 1, 1, 0]])
    found = measure_masks(mask_confusion(truth, answer, 3))
    np.testing.assert_allclose(found.iou, [3 / 6, 2 / 5, np.nan])
    np.testing.assert_allclose(found.dice, [2 * 3 / 9, 2 * 2 / 7, np.nan])
    assert found.mean_iou == pytest.approx((3 / 6 + 2 / 5) / 2)
    assert found.mean_dice == pytest.approx((6 / 9 + 4 / 7) / 2)
    assert found.accuracy == 5 / 8
    assert found.pixels.tolist() == [4, 4, 0]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=4))
def test_the_sum_of_images_is_all_their_pixels(seeds: list[int]) -> None:
    pairs = [masks(seed) for seed in seeds]
    found = measure_masks(sum(mask_confusion(*pair, 4) for pair in pairs))
    truth, answer = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    np.testing.assert_allclose(found.iou, reference.jaccard_score(truth, answer, average=None, labels=range(4)))
    np.testing.assert_allclose(found.dice, reference.f1_score(truth, answer, average=None, labels=range(4)))


def test_ignored_pixels_do_not_count_whatever_the_answer() -> None:
    truth, answer = masks(1)
    marked = truth.copy()
    marked[:3] = 255
    expected = mask_confusion(truth[3:], answer[3:], 4)
    np.testing.assert_array_equal(mask_confusion(marked, answer, 4, ignore=255), expected)
    assert mask_confusion(np.full((2, 2), 255), answer[:2, :2], 4, ignore=255).sum() == 0


def test_a_class_only_the_answers_have_is_not_in_the_mean() -> None:
    found = measure_masks(np.array([[8, 0, 2], [0, 5, 0], [0, 0, 0]]))
    assert found.iou[2] == 0
    assert found.mean_iou == pytest.approx((0.8 + 1) / 2)


def test_perfect_masks_measure_one_and_no_pixels_nothing() -> None:
    truth, _ = masks(2)
    found = measure_masks(mask_confusion(truth, truth, 5))
    assert (found.mean_iou, found.mean_dice, found.accuracy) == (1, 1, 1)
    assert np.isnan(measure_masks(np.zeros((3, 3), int)).mean_iou)


def test_many_matrices_are_measured_at_once() -> None:
    matrices = np.stack([mask_confusion(*masks(seed), 5) for seed in range(6)])
    found, alone = measure_masks(matrices), [measure_masks(matrix) for matrix in matrices]
    np.testing.assert_allclose(found.iou, [one.iou for one in alone])
    np.testing.assert_allclose(found.mean_iou, [one.mean_iou for one in alone])
    np.testing.assert_allclose(found.accuracy, [one.accuracy for one in alone])


def test_masks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match=r"The true mask has shape \(2, 2\) and the answer \(4, 4\): give both"):
        mask_confusion(np.zeros((2, 2), int), np.zeros((4, 4), int), 2)
    with pytest.raises(UsageError, match="The true classes hold 0 to 255; classes are numbered from 0 to 1."):
        mask_confusion(np.array([0, 255]), np.array([0, 0]), 2)
