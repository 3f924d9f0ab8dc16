"""A classifier is tested on the images that it has not seen; what is left out is counted, with the reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from imagine_lib.data.images import content_hash
from imagine_lib.errors import DataError
from imagine_lib.evaluation import tested
from imagine_lib.evaluation.evaluate import Evaluation, evaluate_classifier
from imagine_lib.evaluation.taxonomy import read_taxonomy
from imagine_lib.prediction import progress
from imagine_lib.prediction.rule import STATUSES, rule_of
from imagine_lib.wire import Calibration
from tests.library.evaluation.making import CPU, ByBrightness, classifier, level, open_images, write_images

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ["Acartia", "Beroe", "Ctenophora"]


def evaluated(folder: Path, model: ByBrightness, seen: frozenset[str] = frozenset(), **options: object) -> Evaluation:
    return evaluate_classifier(model, open_images(folder), seen, CPU, **options)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """24 Acartia of which two look like Beroe, and 12 Beroe; nothing of the third class."""
    write_images(tmp_path, {"Acartia": [level(0)] * 22 + [level(1)] * 2, "Beroe": [level(1)] * 12})
    return tmp_path


def test_the_figures_are_those_of_the_textbook(folder: Path) -> None:
    found = evaluated(folder, classifier(LABELS))
    assert found.labels == LABELS
    assert found.confusion.tolist() == [[22, 2, 0], [0, 12, 0], [0, 0, 0]]
    assert found.metrics["accuracy"] == pytest.approx(34 / 36)
    assert found.metrics["balanced_accuracy"] == pytest.approx((22 / 24 + 1) / 2)
    f1 = [2 * 22 / (24 + 22), 2 * 12 / (12 + 14)]
    assert found.metrics["macro_f1"] == pytest.approx(np.mean(f1))
    assert found.metrics["weighted_f1"] == pytest.approx((24 * f1[0] + 12 * f1[1]) / 36)
    assert [row["support"] for row in found.per_class] == [24, 12, 0]
    assert found.most_confused == [{"truth": "Acartia", "answer": "Beroe", "count": 2, "share": 2 / 24}]


def test_a_list_of_suggestions_is_measured_where_there_are_more_classes(tmp_path: Path) -> None:
    labels = ["a", "b", "c", "d"]
    write_images(tmp_path, {"a": [level(0)] * 11 + [level(3)], "d": [level(3)] * 12})
    found = evaluated(tmp_path, classifier(labels))
    assert found.metrics["top_3_accuracy"] == pytest.approx(23 / 24)
    assert found.intervals["top_3_accuracy"].estimate == pytest.approx(23 / 24)
    assert "top_5_accuracy" not in found.metrics


def test_the_worst_mistakes_are_those_of_which_it_was_surest(tmp_path: Path) -> None:
    write_images(tmp_path, {"Acartia": [level(0)] * 10 + [level(0.6), level(2)], "Beroe": [level(1)] * 3})
    first, second = evaluated(tmp_path, classifier(LABELS)).worst
    assert (first.image, first.truth, first.answer) == ("Acartia/S11_011.png", "Acartia", "Ctenophora")
    assert (second.image, second.answer) == ("Acartia/S10_010.png", "Beroe")
    assert first.probability_of_truth < second.probability_of_truth < second.probability < first.probability
    assert first.content is not None and first.content.read()[:4] == b"\x89PNG"


def test_seen_and_unreadable_images_are_left_out_and_counted(folder: Path) -> None:
    data = open_images(folder)
    seen = frozenset(digest for item in data.items[:5] if (digest := content_hash(item.content)))
    (folder / "Beroe" / "S01_999.png").write_bytes(b"no image")
    found = evaluated(folder, classifier(LABELS), seen)
    assert found.excluded == 5
    assert [failure.image for failure in found.failures] == ["Beroe/S01_999.png"]
    assert len(found.truth) == len(found.names) == len(found.probabilities) == 31
    assert found.names == [item.name for item in data.items[5:]]
    plain = found.to_dict()
    assert plain["test"]["excluded_as_seen"] == 5
    assert plain["errors"] == [{"image": "Beroe/S01_999.png", "message": found.failures[0].message}]


def test_what_the_model_does_not_know_is_in_no_figure(folder: Path) -> None:
    without = evaluated(folder, classifier(LABELS))
    write_images(folder, {"Detritus": [250.0] * 7})
    with_it = evaluated(folder, classifier(LABELS))
    assert with_it.other_classes == {"Detritus": 7}
    assert with_it.to_dict()["left_out"]["other_classes"] == {"Detritus": 7}
    assert with_it.metrics == without.metrics
    assert with_it.manifest_sha256 == without.manifest_sha256


def test_unknown_classes_tell_how_well_the_strange_is_told_apart(folder: Path) -> None:
    write_images(folder, {"Detritus": [250.0] * 6, "Bubble": [level(1)] * 6})
    calibration = Calibration(thresholds=[None] * 3, unknown_above=-1.0, images=50)
    found = evaluated(folder, classifier(LABELS, calibration))
    assert found.unknowns is not None
    assert found.unknowns.auroc == pytest.approx(0.75, abs=0.2)  # half of them look like Beroe
    assert (found.unknowns.images, found.unknowns.caught, found.unknowns.lost) == (12, 0.5, 0.0)
    assert found.to_dict()["unknowns"]["classes"] == ["Bubble", "Detritus"]


def test_what_an_ancestor_learned_is_not_strange(folder: Path) -> None:
    write_images(folder, {"Detritus": [250.0] * 6})
    found = evaluated(folder, classifier(LABELS, learned=["Detritus"]))
    assert found.unknowns is None
    assert found.to_dict()["unknowns"] is None
    assert found.other_classes == {"Detritus": 6}


def test_the_temperature_is_applied_and_the_thresholds_are_tested(folder: Path) -> None:
    calibration = Calibration(temperature=2.0, thresholds=[0.5, None, 0.99], unknown_above=None, images=50)
    found = evaluated(folder, classifier(LABELS, calibration))
    plain = evaluated(folder, classifier(LABELS))
    odds = [np.log(one.probabilities[:, 0] / one.probabilities[:, 1]) for one in (found, plain)]
    np.testing.assert_allclose(odds[0], odds[1] / 2, rtol=1e-3)
    assert found.probabilities.dtype == np.float32
    assert (found.thresholds.precision, found.thresholds.coverage) == (34 / 36, 1.0)
    assert found.to_dict()["thresholds"]["wanted"] == 0.95
    assert "not promised for Beroe" in found.to_dict()["thresholds"]["note"]
    assert "the model was not calibrated" in plain.to_dict()["thresholds"]["note"]


def test_the_report_accepts_what_predict_accepts(folder: Path) -> None:
    """Accepted are answers at their class's threshold, 0.5 where it has none, on images that are not strange."""
    write_images(folder, {"Beroe": [level(1.45)] * 6 + [level(0.55)] * 6, "Ctenophora": [250.0] * 3})
    calibration = Calibration(temperature=9.0, thresholds=[0.9, None, 0.0], unknown_above=-2.0, images=50)
    model = classifier(LABELS, calibration)
    found = evaluated(folder, model)
    statuses = rule_of(model.manifest, None).statuses(found.probabilities, found.energies)
    accepted = statuses == STATUSES.index("accepted")
    assert {STATUSES[status] for status in statuses} == set(STATUSES)
    assert found.thresholds.coverage == accepted.mean()
    assert found.thresholds.precision == (found.answers == found.truth)[accepted].mean()


def test_the_calibration_error_stands_beside_what_chance_shows(folder: Path) -> None:
    found = evaluated(folder, classifier(LABELS))
    confidence = found.probabilities.max(axis=1)
    assert found.calibration_error.images == 36
    assert found.calibration_error.by_chance > 0
    assert sum(row.images for row in found.reliability) == 36
    mean = sum(row.confidence * row.images for row in found.reliability) / 36
    assert mean == pytest.approx(float(confidence.mean()))


def test_intervals_are_over_groups(folder: Path) -> None:
    found = evaluated(folder, classifier(LABELS))
    assert (found.group_count, found.grouped) == (12, True)
    for name, interval in found.intervals.items():
        assert interval.estimate == pytest.approx(found.metrics.get(name, interval.estimate))
        assert interval.groups == 12
        assert interval.low is not None and interval.low < interval.estimate < interval.high
    assert found.to_dict()["intervals"]["accuracy"]["low"] == found.intervals["accuracy"].low


def test_under_ten_groups_there_is_no_interval(tmp_path: Path) -> None:
    write_images(tmp_path, {"Acartia": [level(0)] * 20, "Beroe": [level(1)] * 20}, samples=9)
    interval = evaluated(tmp_path, classifier(LABELS)).to_dict()["intervals"]["macro_f1"]
    assert (interval["low"], interval["high"]) == (None, None)
    assert interval["reason"] == "too few groups for an interval: 9, and at least 10 are needed"


def test_without_groups_each_image_is_one(folder: Path) -> None:
    found = evaluate_classifier(classifier(LABELS), open_images(folder, grouped=False), frozenset(), CPU)
    assert (found.grouped, found.group_count) == (False, 36)
    assert found.intervals["accuracy"].low is not None


def test_a_wrong_species_may_be_the_right_order(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "taxa.csv"
    table.write_text(
        "class,phylum,genus\nActinia,Cnidaria,Actinia\nAcartia,Arthropoda,Acartia\nBeroe,Arthropoda,Beroe\n"
    )
    found = evaluated(folder, classifier(LABELS), taxonomy=read_taxonomy(table))
    assert found.ranks is not None
    assert [(row.rank, row.accuracy) for row in found.ranks.ranks] == [("phylum", 1.0), ("genus", 34 / 36)]
    assert found.to_dict()["ranks"]["ranks"][0]["rank"] == "phylum"


def test_the_data_is_plain_and_has_no_nan(folder: Path) -> None:
    write_images(folder, {"Detritus": [250.0] * 6})
    for model in (classifier(LABELS), classifier(LABELS, Calibration(thresholds=[None] * 3, images=9))):
        text = json.dumps(evaluated(folder, model).to_dict(), allow_nan=False)
        assert json.loads(text)["per_class"][2] == {
            "label": "Ctenophora",
            "precision": None,
            "recall": None,
            "f1": None,
            "support": 0,
        }


def test_the_images_are_asked_for_once(folder: Path) -> None:
    model = classifier(LABELS)
    found = evaluated(folder, model)
    found.to_dict()
    found.sections()
    assert model.asked == 36
    assert found.intervals is found.intervals


def test_it_tells_how_far_it_is_and_answers_in_parts_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = evaluated(folder, classifier(LABELS))
    monkeypatch.setattr(tested, "AT_ONCE", 5)
    calls: list[tuple[int, int]] = []
    parts = evaluated(folder, classifier(LABELS), progress=lambda *done: calls.append(done))
    assert calls == [(done, 36) for done in (5, 10, 15, 20, 25, 30, 35, 36)]  # all were read before
    assert np.array_equal(parts.probabilities, whole.probabilities)
    monkeypatch.setattr(progress, "INTERVAL", 0)
    evaluated(folder, classifier(LABELS, size=20))
    said = capsys.readouterr().err
    assert "Testing: 5 of 36 images" in said


def test_images_are_told_as_they_are_read(folder: Path) -> None:
    calls: list[tuple[int, int]] = []
    evaluated(folder, classifier(LABELS, size=24), progress=lambda *done: calls.append(done))
    assert calls == [(36, 36), (36, 36)]


def test_where_nothing_is_left_it_says_why(folder: Path) -> None:
    data = open_images(folder)
    all_seen = frozenset(digest for item in data.items if (digest := content_hash(item.content)))
    with pytest.raises(DataError) as caught:
        evaluated(folder, classifier(LABELS), all_seen)
    assert str(caught.value) == f"{folder} holds no image to test with: the model learned from all 36 of them."
    (folder / "Beroe" / "S01_999.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="learned from 36 of them, and the other 1 cannot be read."):
        evaluated(folder, classifier(LABELS), all_seen)
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match="holds no image to test with: none of them can be read."):
        evaluated(folder, classifier(LABELS))
    with pytest.raises(DataError, match=r"The model knows none of the classes of .*: retrain it on them first."):
        evaluated(folder, classifier(["x", "y"]))
