"""Energy is the paper's, keeps the known images that it promises, and is not measured where it cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from imagine_lib.errors import DataError, UsageError
from imagine_lib.evaluation.unknowns import energy, fit_energy, measure_unknowns


def test_energy_is_minus_the_logarithm_of_the_sum() -> None:
    logits = np.array([[0.0, 0.0], [3.0, 1.0], [1000.0, 0.0]])
    expected = [-np.log(2), -np.log(np.exp(3) + np.exp(1)), -1000]
    assert energy(logits) == pytest.approx(expected)


@pytest.mark.parametrize("kept", [0.5, 0.95, 0.99, 1.0])
def test_the_stated_share_of_known_images_is_kept(kept: float) -> None:
    logits = np.random.default_rng(7).normal(size=(237, 4))
    unknown = energy(logits) > fit_energy(logits, kept)
    assert kept <= 1 - unknown.mean() < kept + 1 / 237 + 1e-9


def test_auroc_is_the_chance_that_the_stranger_scores_higher() -> None:
    rng = np.random.default_rng(9)
    known, unknown = rng.normal(size=80), rng.normal(1, size=50)
    found = measure_unknowns(known, unknown, threshold=0.5)
    assert found is not None
    assert found.auroc == pytest.approx(stats.mannwhitneyu(unknown, known).statistic / (80 * 50))
    assert (found.images, found.caught, found.lost) == (50, (unknown > 0.5).mean(), (known > 0.5).mean())


def test_without_a_rule_only_the_auroc_is_measured() -> None:
    found = measure_unknowns(np.zeros(3), np.ones(2), threshold=None)
    assert found is not None
    assert (found.auroc, found.caught, found.lost) == (1.0, None, None)


def test_without_unknown_images_it_is_not_measured() -> None:
    assert measure_unknowns(np.arange(5.0), np.zeros(0), threshold=1.0) is None


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(UsageError, match="lies between 0 and 1, as in 0.95; this one is 95."):
        fit_energy(np.zeros((3, 2)), 95)
    with pytest.raises(DataError, match="There are no images to choose a threshold for unknowns with"):
        fit_energy(np.zeros((0, 2)))
