"""Adjusted counts are nearer to the truth than counted answers, and their intervals hold it as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from imagine_lib.errors import DataError, UsageError
from imagine_lib.evaluation.abundance import abundance
from imagine_lib.evaluation.calibration import calibrate, fit_temperature
from imagine_lib.evaluation.counts import ASSUMPTION, CountAdjustment, SampleCounts, fit_counts

CLASSES, GROUPS = 5, 30


class World:
    """Overlapping classes in six dimensions, and a model that is too sure and favours some of them."""

    def __init__(self, seed: int, overlap: float = 1.0) -> None:
        self.rng = np.random.default_rng(seed)
        self.centres = self.rng.normal(size=(CLASSES, 6)) * overlap
        self.prior = self.rng.dirichlet(np.full(CLASSES, 2.0))
        self.favour = self.rng.normal(0, 0.3, CLASSES)

    def logits(self, truth: np.ndarray) -> np.ndarray:
        seen = self.centres[truth] + self.rng.normal(size=(len(truth), 6))
        near = seen @ self.centres.T - (self.centres**2).sum(axis=1) / 2
        return 1.4 * (np.log(self.prior) + near) + self.favour

    def adjustment(self, resamples: int = 200, images: int = 50) -> tuple[CountAdjustment, float]:
        mixes = self.rng.dirichlet(self.prior * 20, GROUPS)
        truth = np.concatenate([self.rng.choice(CLASSES, images, p=mix) for mix in mixes])
        logits = self.logits(truth)
        temperature = fit_temperature(logits, truth)
        groups = np.arange(GROUPS).repeat(images).astype(str)
        return fit_counts(truth, calibrate(logits, temperature), groups, resamples=resamples), temperature


def test_the_mix_is_the_one_of_greatest_likelihood() -> None:
    """Two classes whose likelihoods are known: the mix is compared with a search over all mixes."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 1, 70), rng.normal(2, 1, 30)])
    likelihood = np.stack([stats.norm.pdf(values, centre) for centre in (0, 2)], axis=1)
    posterior = likelihood * [0.4, 0.6] / (likelihood * [0.4, 0.6]).sum(axis=1, keepdims=True)
    adjustment = CountAdjustment(1 / np.array([0.4, 0.6]), None, 1, 0.95, 0)
    shares = np.linspace(0, 1, 100_001)
    best = shares[np.argmax([np.log(likelihood @ [share, 1 - share]).sum() for share in shares[::100]]) * 100]
    assert adjustment.count(posterior).adjusted == pytest.approx([100 * best, 100 - 100 * best], abs=0.2)


def test_one_step_by_hand() -> None:
    """Certain probabilities leave nothing to adjust."""
    table = np.eye(3)[[0, 0, 0, 1, 2, 2]]
    found = CountAdjustment(np.array([1.0, 5.0, 0.2]), None, 1, 0.95, 0).count(table)
    np.testing.assert_allclose(found.adjusted, [3, 1, 2])
    assert found.answered.tolist() == [3, 1, 2]


def test_adjusted_counts_are_nearer_to_the_truth() -> None:
    adjusted, answered = [], []
    for seed in range(8):
        world = World(seed)
        adjustment, temperature = world.adjustment(resamples=10)
        truth = world.rng.choice(CLASSES, 500, p=world.rng.dirichlet(np.full(CLASSES, 0.5)))
        found = adjustment.count(calibrate(world.logits(truth), temperature))
        real = np.bincount(truth, minlength=CLASSES)
        adjusted.append(np.abs(found.adjusted - real).sum())
        answered.append(np.abs(found.answered - real).sum())
        assert found.adjusted.sum() == pytest.approx(500)
    assert np.mean(adjusted) < 0.5 * np.mean(answered)


def test_the_interval_holds_the_truth_at_other_mixes() -> None:
    """95 % are promised for the number that the sample stands for; 0.93 of these 1,200 are seen."""
    held = []
    for seed in range(6):
        world = World(seed)
        adjustment, temperature = world.adjustment(resamples=120)
        for _ in range(40):
            mix = world.rng.dirichlet(np.ones(CLASSES))
            truth = world.rng.choice(CLASSES, world.rng.poisson(150), p=mix)
            found = adjustment.count(calibrate(world.logits(truth), temperature))
            held += list((found.low <= 150 * mix) & (150 * mix <= found.high))
    assert len(held) == 1200
    assert 0.91 <= np.mean(held) <= 0.985


def test_the_calibrate_images_add_to_the_uncertainty() -> None:
    world = World(3, overlap=0.6)
    few, temperature = world.adjustment(images=6)
    truth = world.rng.choice(CLASSES, 3000, p=world.prior)
    table = calibrate(world.logits(truth), temperature)
    without = CountAdjustment(few.likelihood, np.tile(few.likelihood, (200, 1)), GROUPS, 0.95, 0)
    uncertain, certain = few.count(table), without.count(table)
    assert (uncertain.high - uncertain.low).sum() > 1.3 * (certain.high - certain.low).sum()


def test_a_class_that_was_not_seen_may_still_be_there() -> None:
    found = CountAdjustment(np.ones(2), np.ones((200, 2)), 20, 0.95, 0).count(np.tile([1.0, 0.0], (40, 1)))
    assert found.low[1] == 0
    assert found.high[1] == pytest.approx(stats.chi2.ppf(0.975, 2) / 2)  # 3.69
    assert (found.low[0], found.high[0]) == pytest.approx((28, 53), abs=2)  # Poisson around 40


def test_classes_without_calibrate_images_can_be_counted() -> None:
    world = World(4)
    truth = world.rng.choice(CLASSES - 1, 600)
    table = calibrate(world.logits(truth), 1.4)
    found = fit_counts(truth, table, np.arange(600) % 20, resamples=30).count(np.eye(CLASSES)[[4] * 10])
    assert np.isfinite(found.adjusted).all()
    assert found.adjusted[4] == pytest.approx(10)


def test_totals_hold_what_could_not_be_read_and_count_nothing_twice() -> None:
    found = CountAdjustment(np.ones(2), None, 3, 0.95, 0).count(np.eye(2)[[0, 1, 1]], unknown=1, unreadable=2)
    assert (found.total, found.unknown) == (5, 1)
    empty = CountAdjustment(np.ones(2), np.ones((50, 2)), 20, 0.95, 0).count(np.zeros((0, 2)), unreadable=2)
    assert (empty.total, empty.adjusted.tolist(), empty.low.tolist()) == (2, [0, 0], [0, 0])


def test_under_ten_calibration_groups_there_is_no_interval() -> None:
    truth = np.arange(90) % 3
    found = fit_counts(truth, np.full((90, 3), 1 / 3), np.arange(90) % 9).count(np.full((5, 3), 1 / 3))
    assert (found.low, found.high) == (None, None)
    assert found.reason == ("too few groups for an interval: 9 in the calibrate images, and at least 10 are needed")
    assert found.assumption == ASSUMPTION


def test_a_seed_gives_one_interval() -> None:
    world = World(5)
    adjustment, temperature = world.adjustment(resamples=50)
    table = calibrate(world.logits(world.rng.choice(CLASSES, 80)), temperature)
    np.testing.assert_array_equal(adjustment.count(table).high, adjustment.count(table).high)


COUNTS = SampleCounts(
    np.array([30, 10]), np.array([32.0, 8.0]), np.array([20.0, 2.0]), np.array([40.0, 15.0]), 0.95, 5, 5
)


def test_abundance_is_count_times_subsampling_over_volume() -> None:
    litres = abundance(COUNTS, volume=200.0, subsampling=4.0)
    np.testing.assert_allclose(litres.adjusted, [0.64, 0.16])
    np.testing.assert_allclose((litres.low, litres.high), [[0.4, 0.04], [0.8, 0.3]])
    assert (litres.total, litres.unit) == (pytest.approx(0.9), "individuals per L")
    cubic = abundance(COUNTS, volume=200.0, subsampling=4.0, unit="m3")
    np.testing.assert_allclose(cubic.adjusted, litres.adjusted * 1000)
    assert cubic.unit == "individuals per m3"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"volume": None},
            DataError,
            "The sample has no volume, so there is no abundance: add the litres of water to the data set's table.",
        ),
        (
            {"volume": 0.0},
            DataError,
            "The volume of the sample is 0 and must be above 0: correct it in the data set.",
        ),
        (
            {"volume": 2.0, "subsampling": float("nan")},
            DataError,
            "The subsampling of the sample is nan and must be above 0: correct it in the data set.",
        ),
        ({"volume": 2.0, "unit": "ml"}, UsageError, "Abundance is given per L or per m3, not per ml."),
    ],
)
def test_abundance_without_what_it_needs_is_refused(
    arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        abundance(COUNTS, **arguments)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_probabilities_of_other_classes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"The probabilities have shape \(4, 3\); the adjustment knows 2 classes."):
        CountAdjustment(np.ones(2), None, 3, 0.95, 0).count(np.zeros((4, 3)))
