"""The measures are those of scikit-learn, and of one's own counting on paper."""

from __future__ import annotations

from dataclasses import astuple

import hypothesis.strategies as st
import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings

from imagine_lib.errors import DataError, UsageError
from imagine_lib.evaluation.measures import (
    SUMMARY,
    accuracy,
    balanced_accuracy,
    class_f1,
    confusion_matrix,
    macro_f1,
    measure_classes,
    most_confused,
    summary,
    top_k_hits,
    weighted_f1,
)

# Truth down, answers across; class 3 is known to the model and absent from the truth.
EXAMPLE = np.array([[6, 2, 0, 0], [1, 3, 0, 1], [0, 0, 2, 0], [0, 0, 0, 0]])


@st.composite
def answered(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    classes, images = draw(st.integers(2, 6)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.integers(classes, size=images), rng.dirichlet(np.ones(classes), images)


def test_a_worked_example() -> None:
    assert accuracy(EXAMPLE) == pytest.approx(11 / 15)
    assert balanced_accuracy(EXAMPLE) == pytest.approx((6 / 8 + 3 / 5 + 1) / 3)
    f1 = [2 * 6 / (8 + 7), 2 * 3 / (5 + 5), 1.0]
    assert macro_f1(EXAMPLE) == pytest.approx(sum(f1) / 3)
    assert weighted_f1(EXAMPLE) == pytest.approx((8 * f1[0] + 5 * f1[1] + 2 * f1[2]) / 15)
    np.testing.assert_allclose(class_f1(EXAMPLE), [*f1, np.nan])


@settings(deadline=None, max_examples=60)
@given(answered())
def test_the_numbers_are_those_of_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probabilities = case
    answers, classes = probabilities.argmax(axis=1), probabilities.shape[1]
    present = np.unique(truth)
    confusion = confusion_matrix(truth, answers, classes)
    np.testing.assert_array_equal(confusion, reference.confusion_matrix(truth, answers, labels=range(classes)))
    found = dict(zip(SUMMARY, summary(confusion), strict=True))
    known = {"labels": present, "zero_division": 0}
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(truth, answers))
    assert found["macro_f1"] == pytest.approx(reference.f1_score(truth, answers, average="macro", **known))
    assert found["weighted_f1"] == pytest.approx(reference.f1_score(truth, answers, average="weighted", **known))
    recall = reference.recall_score(truth, answers, average="macro", **known)
    assert found["balanced_accuracy"] == pytest.approx(recall)
    if classes > 2:
        expected = reference.top_k_accuracy_score(truth, probabilities, k=2, labels=range(classes))
        assert top_k_hits(truth, probabilities, 2).mean() == pytest.approx(expected)


def test_many_matrices_are_measured_at_once() -> None:
    matrices = np.random.default_rng(0).integers(0, 9, size=(7, 5, 5))
    for measure in (accuracy, balanced_accuracy, macro_f1, weighted_f1, class_f1, summary):
        np.testing.assert_allclose(measure(matrices), [measure(matrix) for matrix in matrices])


def test_what_is_undefined_is_said_and_not_called_zero() -> None:
    rows = measure_classes(np.array([[2, 0, 0], [1, 0, 0], [0, 0, 0]])).to_rows(["a", "b", "c"])
    assert rows[0] == {"label": "a", "precision": pytest.approx(2 / 3), "recall": 1.0, "f1": 0.8, "support": 2}
    assert rows[1] == {"label": "b", "precision": None, "recall": 0.0, "f1": 0.0, "support": 1}
    assert rows[2] == {"label": "c", "precision": None, "recall": None, "f1": None, "support": 0}


def test_equal_probabilities_go_to_the_lower_class_as_in_the_answer() -> None:
    even = np.full((3, 3), 1 / 3)
    truth = np.array([0, 1, 2])
    assert [int(top_k_hits(truth, even, k).sum()) for k in (1, 2, 3)] == [1, 2, 3]


def test_the_most_confused_come_first() -> None:
    confusion = np.array([[50, 4, 0], [4, 4, 1], [0, 0, 9]])
    found = [astuple(pair) for pair in most_confused(confusion, 2)]
    assert found == [(1, 0, 4, pytest.approx(4 / 9)), (0, 1, 4, pytest.approx(4 / 54))]
    assert len(most_confused(confusion)) == 3


@pytest.mark.parametrize(
    ("truth", "answers", "error", "message"),
    [
        ([], [], DataError, "There are no true classes to measure with: choose a data set that has labelled images."),
        ([0, 3], [0, 1], UsageError, "The true classes hold 0 to 3; classes are numbered from 0 to 2."),
        ([0, 1], [0, -1], UsageError, "The answers hold -1 to 0; classes are numbered from 0 to 2."),
        ([0, 1], [0], UsageError, "There are 2 true classes and 1 answers: give one answer an image."),
    ],
)
def test_what_cannot_be_measured_is_refused(
    truth: list[int], answers: list[int], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        confusion_matrix(np.array(truth, int), np.array(answers, int), 3)
    assert str(caught.value) == message


def test_top_k_of_more_than_there_are_is_refused() -> None:
    with pytest.raises(UsageError, match="Top-4 has no meaning for 3 classes: choose from 1 to 3."):
        top_k_hits(np.array([0]), np.full((1, 3), 1 / 3), 4)
