"""Predictions, evaluation, comparison and report: the numbers are right and the bad images are beside them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from imagine_lib.data import Split, open_dataset
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.training.run import Run


def test_good_images_get_answers_beside_bad_ones(tiny: Run, plankton: Path, tmp_path: Path) -> None:
    good = sorted(plankton.rglob("*.png"))[:3]
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.png").touch()
    asked = [good[0], tmp_path / "text.jpg", good[1], tmp_path / "empty.png", good[2]]
    found = tiny.model.predict(asked)
    assert [item.image for item in found.items] == [str(path) for path in good]
    assert [failure.image for failure in found.errors] == [str(asked[1]), str(asked[3])]


def test_answers_do_not_depend_on_company_or_chunks(tiny: Run, plankton: Path) -> None:
    paths = sorted(plankton.rglob("*.png"))[:10]
    together = tiny.model.predict(paths)
    for path, answer in zip(paths, together.items, strict=True):
        alone = tiny.model.predict(path).items[0]
        assert alone.label == answer.label
        assert alone.probability == pytest.approx(answer.probability, abs=1e-5)


def test_probabilities_are_sorted_and_bounded(tiny: Run, plankton: Path) -> None:
    for item in tiny.model.predict(plankton).items:
        values = [guess.probability for guess in item.top]
        assert values == sorted(values, reverse=True)
        assert 0 <= sum(values) <= 1 + 1e-4


def test_the_threshold_marks_and_never_hides(tiny: Run, plankton: Path) -> None:
    assert {item.status for item in tiny.model.predict(plankton, threshold=0.0).items} == {"accepted"}
    doubtful = tiny.model.predict(plankton, threshold=1.0)
    assert {item.status for item in doubtful.items} == {"below_threshold"}
    assert len(doubtful) == 45


def test_an_empty_folder_says_so(tiny: Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no images"):
        tiny.model.predict(tmp_path)


def test_seen_images_are_left_out_and_counted(tiny: Run, tiny_split: Split, plankton: Path) -> None:
    evaluation = tiny.model.evaluate(open_dataset(plankton)).to_dict()
    assert evaluation["test"]["excluded_as_seen"] == len(tiny_split.train) + len(tiny_split.val)
    assert evaluation["test"]["images"] == len(tiny_split.test)
    assert evaluation["metrics"] == tiny.report().metrics


def test_other_classes_cannot_be_tested(tiny: Run, tmp_path: Path, plankton: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(next(plankton.rglob("*.png")).read_bytes())
    with pytest.raises(DataError, match="knows none of the classes of .*: retrain it on them first"):
        tiny.model.evaluate(open_dataset(tmp_path))


def test_the_report_is_one_file_and_says_how_it_was_split(tiny: Run, tmp_path: Path) -> None:
    page = tiny.report().save(tmp_path / "r.html").read_text()
    assert "split by image, seed 0" in page
    assert "the numbers flatter the model" in page
    assert 'src="http' not in page
    assert "href=" not in page
    numbers = json.loads(tiny.report().save(tmp_path / "r.json").read_text())
    assert numbers["metrics"] == tiny.report().metrics
