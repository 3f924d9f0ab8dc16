"""What the benchmarks compute from what they measure."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tests.benchmarks.folds import COUNT, SELECT, deal_folds, read_fold, read_marks
from tests.benchmarks.judging import Training, difference, finished, judge, time_to

if TYPE_CHECKING:
    from pathlib import Path


def test_the_target_is_met_at_the_second_of_two_epochs_running() -> None:
    epochs = [(10.0, 0.5), (20.0, 0.9), (30.0, 0.7), (40.0, 0.8), (50.0, 0.81), (60.0, 0.9)]
    assert time_to(0.8, epochs) == 50
    assert time_to(0.4, epochs) == 20
    assert time_to(0.85, epochs) == math.inf
    assert time_to(0.1, epochs[:1]) == math.inf


def test_every_image_is_tested_once_and_each_fold_uses_all() -> None:
    marks = read_marks()
    assert len(marks) == 1400
    assert all(
        len(letters) == COUNT and letters.count("T") == 1 and set(letters) <= set("LST") for letters in marks.values()
    )
    for number in range(COUNT):
        sizes = Counter(letters[number] for letters in marks.values())
        assert sizes["T"] == pytest.approx(1400 / COUNT, abs=10)
        assert sizes["S"] == pytest.approx(SELECT * (1400 - sizes["T"]), abs=5)


def test_a_fold_has_every_class_in_every_part_and_no_image_twice() -> None:
    for number in range(COUNT):
        fold = read_fold(number)
        parts = (fold.train, fold.select, fold.test)
        assert all({example.target for example in part} == set(range(7)) for part in parts)
        assert all(example.path.parent.name == fold.classes[example.target] for part in parts for example in part)
        assert len({example.path for part in parts for example in part}) == 1400


def test_the_stored_folds_are_of_the_images_and_no_copy_is_parted(real_images: Path) -> None:
    folder = real_images / "bering_sea_zooplankton"
    marks = read_marks()
    assert {path.relative_to(folder).as_posix() for path in folder.glob("*/*.jpg")} == set(marks)
    copies: dict[str, set[str]] = defaultdict(set)
    for name, letters in marks.items():
        copies[hashlib.sha256((folder / name).read_bytes()).hexdigest()].add(letters)
    assert all(len(found) == 1 for found in copies.values())


def test_folds_keep_what_is_alike_together_and_the_classes_in_proportion() -> None:
    labels = {f"{label}/{number}": label for label, count in (("a", 100), ("b", 50)) for number in range(count)}
    alike = [[f"a/{number}" for number in range(7)], ["b/3", "b/4"]]
    marks = deal_folds(labels, alike)
    assert marks == deal_folds(dict(reversed(labels.items())), alike)
    assert marks != deal_folds(labels, alike, seed=1)
    for names in alike:
        assert len({marks[name] for name in names}) == 1
    for number in range(COUNT):
        tested = Counter(labels[name] for name, letters in marks.items() if letters[number] == "T")
        assert tested["a"] == pytest.approx(20, abs=2)
        assert tested["b"] == pytest.approx(10, abs=1)


def made(right: float, seed: int, epochs: list[tuple[float, float]] | None = None, images: int = 400) -> Training:
    """A training whose test answers are right so often, on the same images whatever the seed."""
    truth = np.random.default_rng(0).integers(0, 4, images)
    random = np.random.default_rng(seed)
    answers = np.where(random.random(images) < right, truth, (truth + 1) % 4)
    names = [f"{number}" for number in range(images)]
    return Training(epochs or [(1.0, right)], right, names, truth.tolist(), answers.tolist())


def test_the_paired_interval_is_that_of_resampled_images() -> None:
    peer, ours = made(0.7, seed=1), made(0.75, seed=2)
    found = difference([peer], [ours])
    truth, first, second = (np.asarray(one) for one in (ours.truth, peer.answers, ours.answers))

    def gain(rows: np.ndarray) -> float:
        scores = [f1_score(truth[rows], answers[rows], average="macro") for answers in (first, second)]
        return float(scores[1] - scores[0])

    random = np.random.default_rng(3)
    resampled = [gain(random.integers(0, len(truth), len(truth))) for _ in range(500)]
    assert found.estimate == pytest.approx(gain(np.arange(len(truth))))
    assert (found.low, found.high) == pytest.approx(np.quantile(resampled, (0.025, 0.975)), abs=0.012)


def test_a_pair_that_answers_alike_differs_by_no_more_than_so_many_images_can_hide() -> None:
    same = made(0.7, seed=1)
    found = difference([same], [same])
    assert found.estimate == 0
    assert (-found.low, found.high) == pytest.approx((3 / len(same.names),) * 2)


def test_systems_tested_on_other_images_are_not_compared() -> None:
    with pytest.raises(ValueError, match="not tested on the same images"):
        difference([made(0.7, 1)], [made(0.7, 1, images=300)])


def test_the_table_measures_everyone_by_the_best_peer() -> None:
    slow = [(10.0 * epoch, 0.1 * epoch) for epoch in range(1, 9)]
    weak = [(5.0 * epoch, 0.05 * epoch) for epoch in range(1, 9)]
    quick = [(4.0 * epoch, min(0.79, 0.2 * epoch)) for epoch in range(1, 9)]
    trainings = {
        "slow": [made(0.8, 1, slow)] * 3,
        "weak": [made(0.4, 2, weak)] * 3,
        "ours": [made(0.8, 3, quick), made(0.8, 3, quick), made(0.8, 3, weak)],
    }
    rows = {row["system"]: row for row in judge("random", trainings, ["ours"])}
    assert {row["target_macro_f1"] for row in rows.values()} == {"0.7840"}  # 0.98 of the best peer's 0.8
    assert rows["slow"]["median_seconds_to_target"] == "failed"  # only its last epoch meets it
    assert rows["weak"]["median_seconds_to_target"] == "failed"
    assert rows["ours"]["seconds_to_target_by_fold"] == "20.0 20.0 failed"
    assert rows["ours"]["median_seconds_to_target"] == "20.0"
    assert rows["ours"]["ratio_to_fastest_peer"] == "not measured"  # no peer got there
    assert rows["slow"]["compared_with"] == ""
    assert rows["ours"]["compared_with"] == "slow"
    assert float(str(rows["weak"]["high"])) < 0 < float(str(rows["ours"]["high"]))


def test_a_ratio_is_to_the_fastest_peer() -> None:
    good = [(10.0 * epoch, 0.8) for epoch in range(1, 5)]
    better = [(30.0 * epoch, 0.81) for epoch in range(1, 5)]
    trainings = {name: [made(0.8, 1, epochs)] for name, epochs in (("a", good), ("b", better), ("ours", good[:2]))}
    ratios = {row["system"]: row["ratio_to_fastest_peer"] for row in judge("random", trainings, ["ours"])}
    assert ratios == {"a": "1.000", "b": "3.000", "ours": "1.000"}


def test_without_peers_nothing_is_claimed() -> None:
    (row,) = judge("random", {"ours": [made(0.8, 1)]}, ["ours"])
    measured = ("target_macro_f1", "median_seconds_to_target", "ratio_to_fastest_peer")
    assert {row[name] for name in measured} == {"not measured"}
    assert row["compared_with"] == ""


def test_a_training_that_was_cut_off_does_not_count() -> None:
    key = {"start": "random", "fold": 0}
    end = {"select": 0.5, "names": ["a"], "truth": [0], "answers": [0]}
    lines = [
        key | {"system": "plain", "epoch": 1, "seconds": 1.0, "score": 0.4},
        key | {"system": "fastai", "epoch": 1, "seconds": 2.0, "score": 0.6},
        key | {"system": "plain", **end},
    ]
    done = finished(lines)
    assert list(done) == [("random", 0, "plain")]
    assert done["random", 0, "plain"].epochs == [(1.0, 0.4)]
