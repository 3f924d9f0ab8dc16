"""Intervals draw groups, cover what they say they cover, and are not given where they would mislead."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from imagine_lib.errors import UsageError
from imagine_lib.evaluation.intervals import Bootstrap, Interval, expanded_tail
from imagine_lib.evaluation.measures import accuracy, class_f1, confusion_matrix, macro_f1
from imagine_lib.evaluation.wilson import wilson_bounds


def answers_of(rng: np.random.Generator, groups: int, each: int, spread: float = 0.0) -> tuple[np.ndarray, ...]:
    """Truth, answers and groups where each group has a share of right answers of its own, 0.8 in the mean."""
    truth = rng.integers(3, size=groups * each)
    share = np.clip(rng.normal(0.8, spread, groups), 0, 1).repeat(each)
    wrong = (truth + rng.integers(1, 3, size=len(truth))) % 3
    return truth, np.where(rng.random(len(truth)) < share, truth, wrong), np.arange(groups).repeat(each).astype(str)


def test_the_fast_way_is_the_slow_way() -> None:
    truth, answers, groups = answers_of(np.random.default_rng(0), 20, 15, 0.1)
    bootstrap = Bootstrap(resamples=60, seed=3)
    fast = bootstrap.measure(macro_f1, truth, answers, groups, 3)[0]
    names = np.unique(groups)
    picks = [np.concatenate([np.flatnonzero(groups == names[one]) for one in drawn]) for drawn in bootstrap.draw(20)]
    values = [float(macro_f1(confusion_matrix(truth[pick], answers[pick], 3))) for pick in picks]
    tail = expanded_tail(20, 0.95)
    whole = float(macro_f1(confusion_matrix(truth, answers, 3)))
    low, high = np.quantile(values, [tail, 1 - tail]) + whole - np.mean(values)
    assert (fast.estimate, fast.low, fast.high) == pytest.approx((whole, low, high))


def test_images_of_one_group_do_not_count_as_many() -> None:
    truth, answers, groups = answers_of(np.random.default_rng(1), 20, 50, 0.2)
    by_group = Bootstrap().measure(accuracy, truth, answers, groups, 3)[0]
    by_image = Bootstrap().measure(accuracy, truth, answers, np.arange(len(truth)), 3)[0]
    assert by_group.low is not None and by_image.low is not None
    assert by_group.high - by_group.low > 2 * (by_image.high - by_image.low)


@pytest.mark.parametrize(("groups", "spread"), [(10, 0.1), (12, 0.1), (40, 0.15)])
def test_ninety_five_percent_means_ninety_five_percent(groups: int, spread: float) -> None:
    bootstrap, covered, times = Bootstrap(resamples=300), 0, 300
    rng = np.random.default_rng(2)
    everything = np.clip(rng.normal(0.8, spread, 10**6), 0, 1).mean()
    for _ in range(times):
        found = bootstrap.measure(accuracy, *answers_of(rng, groups, 20, spread), 3)[0]
        covered += found.low <= everything <= found.high
    assert 0.915 <= covered / times <= 0.985


def test_rare_classes_that_drop_out_of_resamples_do_not_move_the_interval() -> None:
    """Forty classes of one or two images, never found, beside two that always are."""
    rare = np.repeat(np.arange(2, 42), 2)[:60]
    truth = np.concatenate([np.zeros(300, int), np.ones(300, int), rare])
    answers = np.concatenate([np.zeros(300, int), np.ones(300, int), np.zeros(60, int)])
    groups = np.random.default_rng(11).integers(60, size=len(truth))
    found = Bootstrap().measure(macro_f1, truth, answers, groups, 42)[0]
    assert found.low < found.estimate < found.high
    assert (found.low + found.high) / 2 == pytest.approx(found.estimate, abs=0.2 * (found.high - found.low))


def test_two_models_are_compared_on_the_same_groups() -> None:
    rng = np.random.default_rng(4)
    truth, first, groups = answers_of(rng, 30, 20, 0.2)
    second = np.where((first != truth) & (rng.random(len(truth)) < 0.3), truth, first)
    gain = Bootstrap().measure_difference(accuracy, truth, first, second, groups, 3)[0]
    alone = Bootstrap().measure(accuracy, truth, first, groups, 3)[0]
    assert gain.estimate == pytest.approx((second == truth).mean() - (first == truth).mean())
    assert 0 < gain.low < gain.estimate < gain.high
    assert gain.high - gain.low < 0.7 * (alone.high - alone.low)


def test_the_same_answers_differ_by_nothing_that_was_seen() -> None:
    truth, answers, groups = answers_of(np.random.default_rng(5), 12, 9)
    for found in Bootstrap().measure_difference(class_f1, truth, answers, answers, groups, 3):
        assert (found.estimate, found.low, found.high) == (0, -3 / 12, 3 / 12)


@pytest.mark.parametrize(("answer", "low", "high"), [(0, 1 - 3 / 40, 1.0), (1, 0.0, 3 / 40)])
def test_no_error_seen_is_not_none_to_come(answer: int, low: float, high: float) -> None:
    """An interval without width would call certain what 40 groups cannot tell: the rule of three does not."""
    truth, groups = np.zeros(400, int), np.arange(400) % 40
    found = Bootstrap().measure(accuracy, truth, np.full(400, answer), groups, 2)[0]
    assert (found.low, found.high) == pytest.approx((low, high))
    odd_groups = 3 / 40  # in which nothing is right: that many are missed by 40 groups in 5 of 100 cases
    assert (1 - odd_groups) ** 40 == pytest.approx(0.05, abs=0.01)


def test_a_difference_that_every_group_shows_is_told() -> None:
    truth, groups = np.zeros(120, int), np.arange(120) % 12
    found = Bootstrap().measure_difference(accuracy, truth, truth, truth + 1, groups, 2)[0]
    assert (found.estimate, found.low, found.high, found.side) == (-1, -1, -0.5, -1)


def test_an_interval_ends_where_the_measure_does() -> None:
    """One image of 240 is wrong: half of the width lies beyond 1."""
    truth, answers = np.zeros(240, int), np.zeros(240, int)
    answers[0] = 1
    found = Bootstrap().measure(accuracy, truth, answers, np.arange(240) % 24, 2)[0]
    assert 0.97 < found.low < found.estimate < found.high == 1
    least = Bootstrap().measure(accuracy, truth, 1 - answers, np.arange(240) % 24, 2)[0]
    assert (least.low, least.high) == pytest.approx((0, 1 - found.low))


def test_each_class_has_its_interval_and_an_absent_one_none() -> None:
    truth, answers, groups = answers_of(np.random.default_rng(6), 15, 12)
    found = Bootstrap().measure(class_f1, truth, answers, groups, 4)
    assert all(one.low < one.estimate < one.high for one in found[:3])
    assert np.isnan(found[3].estimate)
    assert found[3].reason == "most resamples hold no image that it can be measured on"


def test_under_ten_groups_there_is_none_and_it_says_why() -> None:
    truth, answers, groups = answers_of(np.random.default_rng(7), 9, 30)
    reason = "too few groups for an interval: 9, and at least 10 are needed"
    for found in (
        Bootstrap().measure(accuracy, truth, answers, groups, 3)[0],
        Bootstrap().measure_difference(accuracy, truth, answers, answers, groups, 3)[0],
        Bootstrap().resample(lambda drawn: drawn.sum(axis=0).astype(float), 9)[0],
    ):
        assert (found.low, found.high, found.reason) == (None, None, reason)
        assert found.side == 0


@pytest.mark.parametrize(
    ("low", "high", "side"), [(0.1, 0.2, 1), (-0.2, -0.1, -1), (-0.1, 0.1, 0), (0.0, 0.3, 0), (None, None, 0)]
)
def test_an_interval_that_holds_0_is_on_no_side(low: float | None, high: float | None, side: int) -> None:
    assert Interval(0.1, low, high, 12).side == side


def test_what_is_undefined_is_none_in_plain_data() -> None:
    assert Interval(float("nan"), None, None, 12, "why").to_dict() == {
        "estimate": None,
        "low": None,
        "high": None,
        "groups": 12,
        "reason": "why",
        "level": 0.95,
    }


def test_a_seed_gives_one_interval_whatever_the_order_of_the_images() -> None:
    truth, answers, groups = answers_of(np.random.default_rng(9), 14, 10)
    order = np.random.default_rng(10).permutation(len(truth))
    first = Bootstrap().measure(macro_f1, truth, answers, groups, 3)
    assert first == Bootstrap().measure(macro_f1, truth[order], answers[order], groups[order], 3)
    assert first != Bootstrap(seed=1).measure(macro_f1, truth, answers, groups, 3)


def test_groups_that_are_not_one_an_image_are_refused() -> None:
    with pytest.raises(UsageError, match="There are 3 images and 2 groups: give the group of each image."):
        Bootstrap().measure(accuracy, np.zeros(3, int), np.zeros(3, int), ["a", "b"], 2)


def test_few_groups_make_the_tails_wider_and_many_do_not() -> None:
    assert expanded_tail(10**6, 0.95) == pytest.approx(0.025, rel=1e-3)
    assert expanded_tail(10, 0.95) < 0.01


def test_wilson_bounds_are_those_of_scipy() -> None:
    for hits, trials in [(0, 5), (3, 5), (5, 5), (52, 52), (190, 200)]:
        expected = stats.binomtest(hits, trials).proportion_ci(0.95, "wilson")
        low, high = wilson_bounds(np.array(hits), np.array(trials), 0.95)
        assert (low, high) == pytest.approx((expected.low, expected.high))
        one_sided = stats.binomtest(hits, trials, alternative="greater").proportion_ci(0.95, "wilson")
        assert wilson_bounds(np.array(hits), np.array(trials), 0.95, sides=1)[0] == pytest.approx(one_sided.low)
    assert wilson_bounds(np.array(0), np.array(0), 0.95) == (0, 1)
