"""Thresholds promise a precision and keep the promise on other images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from imagine_lib.errors import DataError, UsageError
from imagine_lib.evaluation.thresholds import Thresholds, choose_thresholds, measure_thresholds
from imagine_lib.prediction.rule import AnswerRule, rule_of
from imagine_lib.wire import Calibration
from tests.library.evaluation.making import classifier


def two_classes(confidence: np.ndarray) -> np.ndarray:
    """Probabilities whose first class is the answer at a confidence above one half."""
    return np.stack([confidence, 1 - confidence], axis=1)


def rule_with(chosen: Thresholds) -> AnswerRule:
    """Return the rule of a model that was calibrated so."""
    calibration = Calibration(thresholds=list(chosen.values), precision=chosen.precision, images=60)
    labels = [f"class {number}" for number in range(len(chosen.values))]
    return rule_of(classifier(labels, calibration).manifest, None)


def calibrated(images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([0.15] * 4, images)
    return (rng.random((images, 1)) > probabilities.cumsum(axis=1)).sum(axis=1).clip(max=3), probabilities


def test_ninety_five_percent_needs_fifty_two_images_without_an_error() -> None:
    sure = np.linspace(0.6, 0.99, 52)
    assert choose_thresholds(np.zeros(52, int), two_classes(sure)).values[0] == pytest.approx(0.6)
    assert choose_thresholds(np.zeros(51, int), two_classes(sure[:51])).values[0] is None
    one_wrong = np.zeros(52, int)
    one_wrong[-1] = 1  # the surest of all
    assert choose_thresholds(one_wrong, two_classes(sure)).values[0] is None


def test_the_lowest_that_is_enough_is_chosen() -> None:
    """60 right above 0.8 and 40 wrong below: one error among the 61, 62... still leaves the bound below 0.95."""
    confidence = np.concatenate([np.linspace(0.8, 0.99, 60), np.linspace(0.51, 0.79, 40)])
    truth = np.repeat([0, 1], [60, 40])
    assert choose_thresholds(truth, two_classes(confidence)).values == (pytest.approx(0.8), None)


def test_errors_at_the_top_do_not_rule_out_a_lower_threshold() -> None:
    confidence = np.linspace(0.99, 0.6, 400)
    truth = np.zeros(400, int)
    truth[3] = 1
    assert choose_thresholds(truth, two_classes(confidence)).values[0] == pytest.approx(0.6)


def test_images_of_equal_probability_are_kept_or_left_together() -> None:
    confidence = np.repeat([0.9, 0.7], [52, 10])
    truth = np.concatenate([np.zeros(52, int), np.zeros(5, int), np.ones(5, int)])
    for order in (np.arange(62), np.arange(62)[::-1]):
        assert choose_thresholds(truth[order], two_classes(confidence[order])).values[0] == 0.9


def test_the_promise_is_kept_on_other_images() -> None:
    other_truth, other = calibrated(40_000, 10**6)
    reached = []
    for seed in range(60):
        chosen = choose_thresholds(*calibrated(2000, seed))
        found = measure_thresholds(rule_with(chosen), other_truth, other, np.zeros(len(other))).classes
        reached += [row.precision for row in found if row.promised and row.precision is not None]
    assert len(reached) > 200
    assert np.mean(np.array(reached) < 0.95) <= 0.10  # about 0.05 is expected
    assert min(reached) > 0.93
    assert np.mean(reached) < 0.98  # and not by asking for far too much


def test_precision_and_coverage_by_hand() -> None:
    """The second class is asked for 0.5, and the last image is called unknown."""
    rule = replace(rule_with(Thresholds((0.8, None, 0.5), 0.95)), unknown_above=2.0)
    probabilities = np.array(
        [[0.9, 0.1, 0.0], [0.85, 0.1, 0.05], [0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.1, 0.3, 0.6], [0.2, 0.3, 0.5]]
    )
    truth = np.array([0, 1, 0, 1, 2, 2])
    found = measure_thresholds(rule, truth, probabilities, np.array([0, 0, 0, 0, 0, 3.0]))
    assert (found.precision, found.coverage) == (3 / 4, 4 / 6)
    first, second, third = found.classes
    assert (first.answers, first.accepted, first.precision, first.coverage) == (3, 2, 0.5, 2 / 3)
    assert (second.answers, second.accepted, second.precision, second.coverage) == (1, 1, 1, 1)
    assert (third.answers, third.accepted, third.precision, third.coverage) == (2, 1, 1, 0.5)
    assert [(row.threshold, row.promised) for row in found.classes] == [(0.8, True), (0.5, False), (0.5, True)]


def test_a_class_that_is_never_given_has_no_threshold() -> None:
    chosen = choose_thresholds(np.zeros(80, int), np.tile([0.9, 0.1, 0.0], (80, 1)))
    assert chosen.values == (0.9, None, None)


def test_what_makes_no_sense_is_refused() -> None:
    truth, probabilities = calibrated(50, 0)
    with pytest.raises(UsageError) as caught:
        choose_thresholds(truth, probabilities, precision=95)
    assert str(caught.value) == "The precision of a threshold lies between 0 and 1, as in 0.95; this one is 95."
    with pytest.raises(DataError, match="There are no true classes"):
        choose_thresholds(truth[:0], probabilities[:0])
