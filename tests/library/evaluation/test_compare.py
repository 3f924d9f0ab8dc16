"""Two models are compared on the images of the classes that both know and that neither has seen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from imagine_lib.data.images import content_hash
from imagine_lib.errors import DataError
from imagine_lib.evaluation.compare import Comparison, compare_classifiers
from tests.library.evaluation.making import CPU, ByBrightness, classifier, level, open_images, write_images

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ["Acartia", "Beroe", "Ctenophora"]


def compared(
    folder: Path, first: ByBrightness, second: ByBrightness, seen: frozenset[str] = frozenset()
) -> Comparison:
    return compare_classifiers(first, second, open_images(folder), seen, CPU)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Every second Acartia lies between Acartia and Beroe, nearer to Beroe."""
    write_images(
        tmp_path, {"Acartia": [level(0), level(0.7)] * 24, "Beroe": [level(1)] * 48, "Ctenophora": [level(2)] * 24}
    )
    return tmp_path


def sharper() -> ByBrightness:
    """A model for which what lies between Acartia and Beroe is Acartia."""
    model = classifier(LABELS)
    asked = model.logits
    model.logits = lambda canvases, device: (
        asked(canvases, device)
        + [[9, 0, 0]]
        * (  # type: ignore[method-assign]
            canvases.take(slice(None)).mean(axis=(1, 2, 3)) < level(0.85)
        )[:, None]
    )
    return model


def test_what_got_better_is_said_and_what_did_not_is_not(folder: Path) -> None:
    found = compared(folder, classifier(LABELS), sharper())
    assert found.accuracy.estimate == pytest.approx(24 / 120)
    assert found.accuracy.low is not None and found.accuracy.low > 0
    assert found.macro_f1.side == 1
    verdicts = {row["label"]: row["verdict"] for row in found.per_class}
    assert verdicts == {"Acartia": "better", "Beroe": "better", "Ctenophora": "not told apart"}
    swapped = compared(folder, sharper(), classifier(LABELS))
    assert [row["verdict"] for row in swapped.per_class] == ["worse", "worse", "not told apart"]
    assert swapped.accuracy.estimate == pytest.approx(-24 / 120)


def test_f1_of_both_is_that_of_the_textbook(folder: Path) -> None:
    row = compared(folder, classifier(LABELS), sharper()).per_class[0]
    assert row["first"] == pytest.approx(2 * 24 / (48 + 24))
    assert (row["second"], row["support"]) == (1.0, 48)
    assert row["difference"] == pytest.approx(row["second"] - row["first"])
    assert row["low"] < row["difference"]


def test_a_model_compared_with_itself_does_not_differ(folder: Path) -> None:
    found = compared(folder, classifier(LABELS), classifier(LABELS))
    assert found.accuracy.side == 0 and found.accuracy.low == -found.accuracy.high
    assert {row["verdict"] for row in found.per_class} == {"not told apart"}


def test_only_shared_classes_count_and_other_answers_are_wrong(folder: Path) -> None:
    """The second model's third brightness is a class that the first does not know: its Ctenophora are all wrong."""
    second = classifier(["Acartia", "Beroe", "Doliolum", "Ctenophora"])
    write_images(folder, {"Doliolum": [level(2)] * 5})
    found = compared(folder, classifier(LABELS), second)
    assert found.labels == LABELS
    assert found.other_classes == {"Doliolum": 5}
    assert found.left_out == 5
    row = found.per_class[2]
    assert (row["first"], row["second"], row["verdict"]) == (1.0, 0.0, "worse")
    assert found.metrics["second"]["accuracy"] == pytest.approx(72 / 120)


def test_models_may_see_the_images_at_different_sizes(folder: Path) -> None:
    found = compared(folder, classifier(LABELS), classifier(LABELS, size=24))
    assert found.accuracy.estimate == 0


def test_what_either_has_seen_or_nobody_can_read_is_left_out(folder: Path) -> None:
    data = open_images(folder)
    seen = frozenset(digest for item in data.items[:7] if (digest := content_hash(item.content)))
    (folder / "Beroe" / "S01_999.png").write_bytes(b"no image")
    found = compared(folder, classifier(LABELS), sharper(), seen)
    assert (found.excluded, len(found.failures), found.left_out, len(found.truth)) == (7, 1, 8, 113)


def test_under_ten_groups_nothing_is_told_apart(tmp_path: Path) -> None:
    write_images(tmp_path, {"Acartia": [level(0.7)] * 9, "Beroe": [level(1)] * 9}, samples=9)
    found = compared(tmp_path, classifier(LABELS), sharper())
    assert found.accuracy.estimate > 0
    assert {row["verdict"] for row in found.per_class} == {"too few groups"}
    assert "too few groups for an interval: 9" in repr(found)
    assert "too few groups for an interval: 9" in found._repr_html_()


def test_it_is_a_table_data_and_a_page(folder: Path) -> None:
    found = compared(folder, classifier(LABELS), sharper())
    table = found.to_dataframe()
    assert list(table["label"]) == ["Acartia", "Beroe", "Ctenophora"]
    assert table["difference"].is_monotonic_decreasing
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["differences"]["accuracy"]["estimate"] == pytest.approx(0.2)
    assert plain["metrics"]["second"]["accuracy"] == 1
    assert plain["test"]["images"] == 120
    page = found._repr_html_()
    assert "The second is better at 2 classes: Acartia, Beroe." in page
    assert "The second is worse at no class." in page
    assert '<th scope="col" class="worded">the second is</th>' in page
    assert page.count('<td class="worded">better</td>') == 2


def test_nothing_in_common_is_said(folder: Path) -> None:
    with pytest.raises(
        DataError, match="The two models share no class with images in .*: there is nothing to compare."
    ):
        compared(folder, classifier(LABELS), classifier(["x", "y"]))


def test_a_class_of_few_groups_is_not_called_better_anywhere(tmp_path: Path) -> None:
    write_images(tmp_path, {"Acartia": [level(0.7)] * 3, "Beroe": [level(1)] * 48, "Ctenophora": [level(2)] * 24})
    found = compared(tmp_path, classifier(LABELS), sharper())
    (acartia,) = (row for row in found.per_class if row["label"] == "Acartia")
    assert acartia["difference"] == 1.0
    assert (acartia["low"], acartia["verdict"]) == (None, "too few groups")
    assert found.to_dict()["per_class"] == found.per_class
    assert found.to_dataframe().set_index("label").loc["Acartia", "verdict"] == "too few groups"
    page = found._repr_html_()
    assert "The second is better at no class." in page
    assert "only of classes that at least 10 groups hold" in page
    assert page.count("too few groups") == 1
