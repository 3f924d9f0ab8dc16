"""A fitted temperature undoes what was done to the logits, and an error is called one only above chance."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.special import log_softmax

from imagine_lib.errors import DataError, UsageError
from imagine_lib.evaluation.calibration import (
    calibrate,
    expected_calibration_error,
    fit_temperature,
    reliability,
)


def honest(images: int, classes: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is the true probability of each class, and classes drawn from it."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, size=(images, classes))
    draws = rng.random((images, 1)) > calibrate(logits, 1).cumsum(axis=1)
    return logits, draws.sum(axis=1).clip(max=classes - 1)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_the_temperature_that_was_applied_is_found(temperature: float) -> None:
    logits, truth = honest(4000)
    assert fit_temperature(logits * temperature, truth) == pytest.approx(temperature, rel=0.05)


def test_it_is_where_the_likelihood_is_highest() -> None:
    logits, truth = honest(1500, seed=1)
    grid = np.geomspace(0.5, 2, 801)
    losses = [-log_softmax(logits / t, axis=1)[np.arange(1500), truth].mean() for t in grid]
    assert fit_temperature(logits, truth) == pytest.approx(grid[int(np.argmin(losses))], rel=0.01)


@pytest.mark.parametrize("images", [30, 300, 3000])
def test_where_every_answer_is_right_it_does_not_become_certain(images: int) -> None:
    truth = np.arange(images) % 3
    logits = np.eye(3)[truth] * 4.0
    confidence = calibrate(logits, fit_temperature(logits, truth)).max(axis=1)
    assert 1 - 2 / images < confidence[0] < 1 - 1 / (3 * images)


def test_where_every_answer_is_wrong_it_becomes_unsure() -> None:
    truth = np.arange(60) % 3
    logits = np.eye(3)[(truth + 1) % 3] * 4.0
    assert calibrate(logits, fit_temperature(logits, truth)).max() < 0.35


def test_logits_that_say_nothing_are_left_alone() -> None:
    assert fit_temperature(np.zeros((20, 3)), np.zeros(20, int)) == 1


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(UsageError, match="Some logits are not finite numbers: predict the calibrate images again."):
        fit_temperature(np.array([[np.nan, 1.0]]), np.array([0]))
    with pytest.raises(DataError, match="There are no true classes to measure with"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, int))


def by_hand(truth: np.ndarray, probabilities: np.ndarray, bins: int) -> float:
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    parts = np.array_split(np.argsort(confidence), bins)
    return float(sum(abs(right[part].mean() - confidence[part].mean()) * len(part) for part in parts) / len(truth))


def test_the_error_is_the_one_counted_bin_by_bin() -> None:
    logits, truth = honest(1500, seed=2)
    for temperature in (0.5, 1, 3):
        probabilities = calibrate(logits, temperature)
        found = expected_calibration_error(truth, probabilities, bins=15, simulations=1)
        assert found.value == pytest.approx(by_hand(truth, probabilities, 15))
        assert found.bins == 15


def test_a_calibrated_model_shows_what_chance_shows() -> None:
    shown = []
    for seed in range(60):
        logits, truth = honest(400, seed=seed)
        found = expected_calibration_error(truth, calibrate(logits, 1), simulations=200)
        shown.append(found.shown)
        assert 0 < found.by_chance < found.by_chance_at_most
    assert np.mean(shown) <= 0.15  # 0.05 is expected


def test_an_overconfident_model_shows_more() -> None:
    logits, truth = honest(400)
    found = expected_calibration_error(truth, calibrate(logits, 0.4))
    assert found.shown
    assert f"{found.value:.3f}, more than chance explains" in str(found)
    assert f"would show {found.by_chance:.3f} on these 400 images" in str(found)


def test_chance_alone_shrinks_with_the_root_of_the_images() -> None:
    few, many = (
        expected_calibration_error(truth, calibrate(logits, 1)).by_chance
        for logits, truth in (honest(500), honest(8000))
    )
    assert few / many == pytest.approx(4, rel=0.2)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 200), st.integers(0, 1000), st.booleans())
def test_the_order_of_the_images_means_nothing(images: int, seed: int, rounded: bool) -> None:
    logits, truth = honest(images, seed=seed)
    probabilities = calibrate(logits, 1)
    if rounded:  # many images then have the same confidence
        probabilities = probabilities.round(1)
    order = np.random.default_rng(seed).permutation(images)
    first = expected_calibration_error(truth, probabilities, simulations=3)
    second = expected_calibration_error(truth[order], probabilities[order], simulations=3)
    assert first.value == pytest.approx(second.value)
    assert (first.bins, first.by_chance) == (second.bins, pytest.approx(second.by_chance))


def test_certain_and_right_is_no_error() -> None:
    truth = np.arange(40) % 4
    found = expected_calibration_error(truth, np.eye(4)[truth])
    assert (found.value, found.by_chance, found.by_chance_at_most, found.shown) == (0, 0, 0, False)


def test_the_reliability_table_holds_every_image_once() -> None:
    logits, truth = honest(1003)
    rows = reliability(truth, calibrate(logits, 1), bins=10)
    assert sum(row.images for row in rows) == 1003
    assert [row.confidence for row in rows] == sorted(row.confidence for row in rows)
    assert sum(row.low <= row.confidence <= row.high for row in rows) >= 7
    right = (logits.argmax(axis=1) == truth).mean()
    assert sum(row.accuracy * row.images for row in rows) / 1003 == pytest.approx(right)
