"""Detections are measured as COCO's own program does: by examples worked on paper and by a plain rewrite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from imagine_lib.errors import DataError, UsageError
from imagine_lib.evaluation.detection import (
    FoundBoxes,
    TrueBoxes,
    match_detections,
    measure_detections,
    measure_matches,
)
from imagine_lib.evaluation.matching import overlaps

BOX = [10.0, 10.0, 40.0, 40.0]
FAR = [100.0, 100.0, 40.0, 40.0]


def true(*boxes: list[float], classes: list[int] | None = None, crowd: list[bool] | None = None) -> TrueBoxes:
    numbers = np.array(classes if classes is not None else [0] * len(boxes), int)
    return TrueBoxes(np.array(boxes).reshape(-1, 4), numbers, None if crowd is None else np.array(crowd))


def found(*boxes: list[float], scores: list[float], classes: list[int] | None = None) -> FoundBoxes:
    numbers = np.array(classes if classes is not None else [0] * len(boxes), int)
    return FoundBoxes(np.array(boxes).reshape(-1, 4), numbers, np.array(scores))


def shifted(box: list[float], by: float) -> list[float]:
    return [box[0] + by, *box[1:]]


def test_overlap_is_intersection_over_union() -> None:
    table = overlaps(np.array([BOX, FAR]), np.array([BOX, shifted(BOX, 20)]))
    np.testing.assert_allclose(table, [[1, 20 / 60], [0, 0]])
    crowd = overlaps(np.array([[10.0, 10.0, 10.0, 10.0]]), np.array([BOX]), np.array([True]))
    assert crowd[0, 0] == 1
    assert overlaps(np.array([[0.0, 0, 0, 0]]), np.array([[0.0, 0, 0, 0]]))[0, 0] == 0


def test_perfect_boxes_measure_one() -> None:
    result = measure_detections(
        [true(BOX, FAR, classes=[0, 1])], [found(BOX, FAR, scores=[0.4, 0.3], classes=[0, 1])], 3
    )
    assert (result.mean, result.at_50, result.at_75, result.recall, result.boxes) == (1, 1, 1, 1, 2)
    np.testing.assert_allclose(result.by_class, [1, 1, np.nan])


def test_one_of_two_boxes_found() -> None:
    """Recall 0.5 with precision 1: 51 of the 101 recalls (0.00 to 0.50) have precision 1."""
    result = measure_detections([true(BOX, FAR)], [found(BOX, scores=[0.9])], 1)
    assert result.mean == pytest.approx(51 / 101)
    assert result.recall == 0.5


def test_a_surer_mistake_costs_precision_and_a_less_sure_one_nothing() -> None:
    truth = [true(BOX)]
    assert measure_detections(truth, [found(FAR, BOX, scores=[0.9, 0.8])], 1).at_50 == pytest.approx(0.5)
    assert measure_detections(truth, [found(FAR, BOX, scores=[0.8, 0.9])], 1).at_50 == pytest.approx(1)


def test_a_box_is_found_once() -> None:
    """The second detection of it is a mistake: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1."""
    result = measure_detections([true(BOX, FAR)], [found(BOX, BOX, FAR, scores=[0.9, 0.8, 0.7])], 1)
    assert result.at_50 == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_the_needed_overlap_rises() -> None:
    """Shifted by 8 of 40: overlap 32/48 = 0.667, enough for 0.50 to 0.65, four of the ten."""
    result = measure_detections([true(BOX)], [found(shifted(BOX, 8), scores=[0.9])], 1)
    assert (result.at_50, result.at_75, result.mean) == pytest.approx((1, 0, 0.4))


def test_more_than_a_hundred_detections_are_not_looked_at() -> None:
    boxes = [FAR] * 100 + [BOX]
    truth = [true(BOX)]
    assert measure_detections(truth, [found(*boxes, scores=[0.9] * 100 + [0.1])], 1).recall == 0
    assert measure_detections(truth, [found(*boxes[1:], scores=[0.9] * 99 + [0.1])], 1).recall == 1


def test_detections_in_a_crowd_are_neither_found_nor_wrong() -> None:
    inside = [[12.0, 12.0, 8.0, 8.0], [30.0, 30.0, 8.0, 8.0]]
    result = measure_detections(
        [true(BOX, FAR, crowd=[True, False])], [found(*inside, FAR, scores=[0.9, 0.8, 0.7])], 1
    )
    assert (result.mean, result.boxes) == (1, 1)


def test_areas_leave_out_what_is_larger_or_smaller() -> None:
    small, large = [0.0, 0.0, 20.0, 20.0], [100.0, 100.0, 120.0, 120.0]
    truth, given = [true(small, large)], [found(small, [300.0, 0.0, 120.0, 120.0], scores=[0.5, 0.9])]
    assert measure_detections(truth, given, 1).mean == pytest.approx(0.5 * 51 / 101)
    assert measure_detections(truth, given, 1, area="small").mean == 1
    assert measure_detections(truth, given, 1, area="large").mean == 0
    assert np.isnan(measure_detections(truth, given, 1, area="medium").mean)


def test_images_without_boxes_count_for_mistakes_only() -> None:
    empty = true()
    clean = measure_detections([true(BOX), empty], [found(BOX, scores=[0.5]), found(scores=[])], 1)
    assert clean.mean == 1
    wrong = measure_detections([true(BOX), empty], [found(BOX, scores=[0.5]), found(BOX, scores=[0.9])], 1)
    assert wrong.at_50 == pytest.approx(0.5)


def many(seed: int, images: int = 12, classes: int = 3) -> tuple[list[TrueBoxes], list[FoundBoxes]]:
    rng = np.random.default_rng(seed)
    truth, given = [], []
    for _ in range(images):
        count = rng.integers(0, 6)
        boxes = np.column_stack([rng.integers(0, 90, (count, 2)), rng.integers(5, 120, (count, 2))]).astype(float)
        numbers = rng.integers(classes, size=count)
        truth.append(TrueBoxes(boxes, numbers, rng.random(count) < 0.15))
        near = np.abs(np.repeat(boxes, 2, axis=0) + rng.normal(0, 3, (2 * count, 4)))
        other = np.column_stack([rng.integers(0, 90, (3, 2)), rng.integers(5, 120, (3, 2))])
        labels = np.concatenate([np.repeat(numbers, 2), rng.integers(classes, size=3)])
        given.append(FoundBoxes(np.vstack([near, other]), labels, rng.random(len(labels)).round(2)))
    return truth, given


def plainly(truth: list[TrueBoxes], given: list[FoundBoxes], label: int, least: float) -> float:
    """Average precision of one class at one overlap, from the definition, without areas."""
    wanted, rows = 0, []
    for true_boxes, found_boxes in zip(truth, given, strict=True):
        mine = np.flatnonzero(true_boxes.classes == label)
        crowd = np.asarray(true_boxes.crowd)[mine]
        wanted += int((~crowd).sum())
        theirs = np.flatnonzero(found_boxes.classes == label)
        used: set[int] = set()
        for row in sorted(theirs, key=lambda i: -found_boxes.scores[i]):
            table = overlaps(found_boxes.boxes[[row]], true_boxes.boxes[mine], crowd)[0]
            for kind in (False, True):
                options = [
                    box
                    for box in range(len(mine))
                    if crowd[box] == kind and table[box] >= least and (kind or box not in used)
                ]
                if options:
                    best = max(options, key=lambda box: table[box])
                    used.add(best)
                    if not kind:
                        rows.append((found_boxes.scores[row], True))
                    break
            else:
                rows.append((found_boxes.scores[row], False))
    rows.sort(key=lambda row: -row[0])
    right = np.cumsum([row[1] for row in rows])
    points = [(right[n] / wanted, right[n] / (n + 1)) for n in range(len(rows))]
    return float(np.mean([max([p for r, p in points if r >= at], default=0) for at in np.linspace(0, 1, 101)]))


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_definition_written_out(seed: int) -> None:
    truth, given = many(seed)
    result = measure_detections(truth, given, 3)
    for label in range(3):
        expected = np.mean([plainly(truth, given, label, least) for least in np.linspace(0.5, 0.95, 10)])
        assert result.by_class[label] == pytest.approx(expected)
    assert result.mean == pytest.approx(result.by_class.mean())
    assert 0.1 < result.mean < 0.95


def test_the_order_of_images_and_boxes_means_nothing() -> None:
    truth, given = many(7)
    rng = np.random.default_rng(0)
    given = [
        replace(one, scores=rng.permutation(100)[: len(one.scores)] / 100 + i / 1e4) for i, one in enumerate(given)
    ]
    order = rng.permutation(len(truth))
    flipped = [FoundBoxes(one.boxes[::-1], one.classes[::-1], one.scores[::-1]) for one in given]
    first = measure_detections(truth, given, 3)
    second = measure_detections([truth[i] for i in order], [flipped[i] for i in order], 3)
    assert first.mean == second.mean


def test_what_cannot_be_measured_is_refused() -> None:
    one = found(BOX, scores=[0.5])
    with pytest.raises(DataError, match="There are no images to measure detections with"):
        measure_detections([], [], 1)
    with pytest.raises(UsageError, match="There are 1 images and 2 results: give one result an image."):
        measure_detections([true(BOX)], [one, one], 1)
    with pytest.raises(UsageError, match="The area 'tiny' is none of all, small, medium, large."):
        measure_detections([true(BOX)], [one], 1, area="tiny")
    with pytest.raises(UsageError, match="The boxes hold classes 0 to 4; they are numbered from 0 to 0."):
        measure_detections([true(BOX, classes=[4])], [one], 1)


def test_drawing_images_for_an_interval_is_laying_them_side_by_side() -> None:
    rng = np.random.default_rng(3)
    truth, given = [], []
    for _ in range(15):
        boxes = rng.uniform(0, 60, size=(4, 4)) + np.array([0, 0, 15, 15])
        classes = rng.integers(2, size=4)
        truth.append(TrueBoxes(boxes, classes))
        given.append(FoundBoxes(boxes + rng.normal(0, 4, size=boxes.shape), classes, rng.random(4)))
    drawn = rng.integers(15, size=15)
    by_weight = measure_matches(match_detections(truth, given, 2), 2, np.bincount(drawn, minlength=15))
    laid_out = measure_detections([truth[n] for n in drawn], [given[n] for n in drawn], 2)
    whole = measure_detections(truth, given, 2)
    assert (by_weight.mean, by_weight.at_50, by_weight.recall, by_weight.boxes) == pytest.approx(
        (laid_out.mean, laid_out.at_50, laid_out.recall, laid_out.boxes)
    )
    assert by_weight.mean != pytest.approx(whole.mean)
