"""A report is one calm page: it says what was tested and what was not, and shows hostile names as text."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from imagine_lib.errors import StorageError
from imagine_lib.evaluation.detection import FoundBoxes, TrueBoxes
from imagine_lib.evaluation.evaluate import evaluate_classifier
from imagine_lib.evaluation.figures import draw_confusion
from imagine_lib.evaluation.masks import SegmentationEvaluation
from imagine_lib.evaluation.objects import DetectionEvaluation
from imagine_lib.evaluation.page import Listing, Section, Words, render
from imagine_lib.evaluation.report import Report
from imagine_lib.evaluation.segmentation import mask_confusion
from imagine_lib.evaluation.taxonomy import read_taxonomy
from imagine_lib.wire import Calibration, ModelStatus
from tests.library.evaluation.making import CPU, classifier, level, open_images, write_images

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ["Acartia", "Beroe", "Ctenophora"]
HOSTILE = "<script>alert(1)<|script> & $\\frac$ \"x\" 'y'"


class Outline(HTMLParser):
    """What a page holds: its tags with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def report(
    folder: Path, *, grouped: bool = True, samples: int = 12, warnings: tuple[str, ...] = (), **options: Any
) -> Report:
    labels = options.pop("labels", LABELS)
    wanted = {labels[0]: [level(0)] * 22 + [level(1)] * 2, labels[1]: [level(1)] * 12}
    write_images(folder, wanted, samples)
    taxonomy, status = options.pop("taxonomy", None), options.pop("status", ModelStatus.RELEASED)
    data = open_images(folder, grouped)
    found = evaluate_classifier(classifier(labels, **options), data, frozenset(), CPU, taxonomy)
    return Report("plankton-2", status, "by group (S\\d+)_, seed 3", found, warnings)


def test_it_is_read_from_what_was_tested_to_what_was_left_out(tmp_path: Path) -> None:
    taxa = tmp_path / "taxa.csv"
    taxa.write_text("class,genus\nAcartia,Acartia\nBeroe,Beroe\n")
    (tmp_path / "images").mkdir()
    page = report(
        tmp_path / "images", warnings=("Class 'x' has no image to test with.",), taxonomy=read_taxonomy(taxa)
    ).to_html()
    wanted = (
        "Report of plankton-2",
        "On 36 images that it had not seen, split by group (S\\d+)_, seed 3.",
        "Class 'x' has no image to test with.",
        "accuracy",
        "another seed would give another model",
        "Class by class",
        "Acartia was taken for Beroe 2 times (8 % of the Acartia images).",
        "Its worst mistakes",
        "a perfectly calibrated model would show",
        "if the images were independent; those of one sample are not",
        "No precision is promised for any class: the model was not calibrated",
        "Not measured",
        "How often it is right at each rank",
        "What was left out",
    )
    text = Outline(page).text
    places = [text.index(sentence) for sentence in wanted]
    assert places == sorted(places)


def test_it_needs_no_other_file_and_can_be_read_without_seeing(tmp_path: Path) -> None:
    page = Outline(report(tmp_path).to_html())
    sources = [picture["src"] or "" for picture in page.all("img")]
    assert len(sources) == 4  # two figures, two mistakes
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert all(picture["alt"] for picture in page.all("img"))
    assert not page.all("script") and not page.all("link") and not page.all("a")
    assert {header["scope"] for header in page.all("th")} == {"col", "row"}
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert len(page.all("h2")) == 9


def test_in_a_notebook_it_is_the_same_below_the_notebooks_own_headings(tmp_path: Path) -> None:
    found = report(tmp_path)
    shown, page = Outline(found._repr_html_()), Outline(found.to_html())
    assert not shown.all("html") and not shown.all("h1")
    assert shown.text.split("Report of")[-1].split() == page.text.split("Report of")[-1].split()
    style = found._repr_html_().split("<style>")[1].split("</style>")[0]
    rules = [rule.strip() for rule in style.replace("@media (max-width: 40rem) {", "").split("}") if "{" in rule]
    assert all(
        selector.strip().startswith(".imagine-report") for rule in rules for selector in rule.split("{")[0].split(",")
    )


@pytest.mark.parametrize("place", ["model", "warning", "split", "class"])
def test_hostile_names_are_text(tmp_path: Path, place: str) -> None:
    labels = [HOSTILE, "Beroe", "Ctenophora"] if place == "class" else LABELS
    evaluation = report(tmp_path, labels=labels).evaluation
    names = {"model": "m", "split": "s", "warning": "w"} | {place: HOSTILE}
    found = Report(names["model"], ModelStatus.RELEASED, names["split"], evaluation, (names["warning"],))
    page = Outline(found.to_html())
    assert HOSTILE in page.text
    assert not page.all("script")


def test_names_that_no_figure_can_hold_are_shortened() -> None:
    labels = ["a\nb\x00c", "x" * 300, "$\\frac{$"]
    assert draw_confusion(["桡足类", "b"], np.eye(2, dtype=np.int64), "images").to_png()
    picture = draw_confusion(labels, np.eye(3, dtype=np.int64), "images")
    assert picture.to_png()[:4] == b"\x89PNG"
    assert [tick.get_text() for tick in picture.figure.axes[0].get_yticklabels()] == [
        "a b c",
        "x" * 27 + "…",
        "$\\frac{$",
    ]


def test_a_figure_leaves_out_classes_that_do_not_occur() -> None:
    confusion = np.zeros((60, 60), np.int64)
    confusion[5, 7] = confusion[7, 7] = 3
    axes = draw_confusion([f"class {number}" for number in range(60)], confusion, "images").figure.axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["class 5", "class 7"]


def test_a_demonstration_says_so_first(tmp_path: Path) -> None:
    text = Outline(report(tmp_path, status=ModelStatus.DEMONSTRATION).to_html()).text
    assert text.index("This is a demonstration model") < text.index("What it was tested on")


def test_too_few_groups_are_said(tmp_path: Path) -> None:
    text = Outline(report(tmp_path, samples=9).to_html()).text
    assert "There is no interval: too few groups for an interval: 9, and at least 10 are needed." in text
    assert "another seed" not in text


def test_images_split_one_by_one_are_said(tmp_path: Path) -> None:
    text = Outline(report(tmp_path, grouped=False).to_html()).text
    assert "The images were split one by one" in text
    assert "the numbers flatter the model" in text


def test_thresholds_are_said_with_what_they_are_valid_for(tmp_path: Path) -> None:
    calibration = Calibration(thresholds=[0.5, None, None], unknown_above=-1.0, images=120)
    write_images(tmp_path, {"Detritus": [250.0] * 6})
    text = Outline(report(tmp_path, calibration=calibration).to_html()).text
    assert "A precision of 95 % is promised for 1 of 3 classes, from 120 images" in text
    assert "valid for the calibration's class mix" in text
    assert "A prediction accepts 100 % of these test images" in text and "94 % of those are right." in text
    assert "not promised for Beroe and Ctenophora" in text
    assert "AUROC 1.000 on 6 images of Detritus" in text
    assert "Its rule calls 100 % of them unknown, and 0 % of the images of the classes that it knows." in text
    assert "Left out, because they are of classes that the model does not know: Detritus (6)." in text


@pytest.mark.parametrize(("balance", "is_said"), [("logits", True), ("sampling", True), ("none", False)])
def test_probabilities_of_an_even_class_mix_are_said_to_be(tmp_path: Path, balance: str, is_said: bool) -> None:
    found = report(tmp_path, balance=balance)
    assert ("the probabilities are those of an even class mix" in Outline(found.to_html()).text) == is_said
    assert ("even class mix" in found.to_dict()["calibration"]["note"]) == is_said


def test_many_classes_are_no_wall(tmp_path: Path) -> None:
    labels = [f"class {number:02d}" for number in range(20)]
    page = Outline(report(tmp_path, labels=labels).to_html())
    assert "The weakest classes:" in page.text
    assert len(page.all("details")) == 3  # the classes, the numbers of the reliability figure, the thresholds


def test_unreadable_images_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    (tmp_path / "Acartia").mkdir()
    for number in range(12):
        (tmp_path / "Acartia" / f"S01_9{number:02d}.png").write_bytes(b"")
    text = Outline(report(tmp_path).to_html()).text
    assert text.count("Left out: Acartia/S01_9") == 10
    assert "2 more images could not be read" in text


def test_a_mistake_whose_image_is_gone_still_has_its_name(tmp_path: Path) -> None:
    found = report(tmp_path)
    (tmp_path / "Acartia" / "S10_022.png").unlink()
    page = Outline(found.to_html())
    assert len(page.all("img")) == 3
    assert "Acartia/S10_022.png" in page.text


def test_it_is_saved_as_a_page_and_as_data(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    found = report(tmp_path / "images", warnings=("Look again.",))
    page = found.save(tmp_path / "r.html").read_text()
    assert page.startswith("<!doctype html>")
    data = json.loads(found.save(tmp_path / "r.json").read_text())
    assert (data["model"], data["status"], data["warnings"]) == ("plankton-2", "released", ["Look again."])
    assert data["metrics"] == found.metrics
    assert f"accuracy {found.metrics['accuracy']:.3f}" in found.figures
    assert found.figures in repr(found)


def test_a_report_that_cannot_be_saved_is_one_sentence_and_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = report(tmp_path / "images")
    path = found.save(tmp_path / "r.html")
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"could not be written \(file exists\): nothing was changed there"):
        found.save(path / "inside.json")
    monkeypatch.setattr(
        "pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(StorageError, match=r"r\.html could not be written \(no space left on device\)"):
        found.save(path)
    assert path.read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} == {"images", "r.html"}


BOX = [10.0, 10.0, 40.0, 40.0]


def detections(found_in: int, images: int = 24) -> DetectionEvaluation:
    """One box an image, of which the first are found."""
    true = TrueBoxes(np.array([BOX]), np.array([0]))
    hit, miss = ([BOX, [200.0, 200.0, 9.0, 9.0]][number] for number in (0, 1))
    found = [
        FoundBoxes(np.array([hit if n < found_in else miss]), np.array([0]), np.array([0.9])) for n in range(images)
    ]
    return DetectionEvaluation(
        labels=["crab", "<b>fish</b>"],
        names=[f"{number}.png" for number in range(images)],
        groups=[f"dive {number % 12}" for number in range(images)],
        grouped=True,
        manifest_sha256="0" * 64,
        truth=[true] * images,
        found=found,
    )


def test_a_detector_has_its_report(tmp_path: Path) -> None:
    found = detections(found_in=18)
    assert found.metrics["recall"] == pytest.approx(18 / 24)
    assert found.intervals["recall"].low is not None
    assert found.intervals["recall"].low < 18 / 24 < found.intervals["recall"].high
    assert found.per_class == [
        {"label": "crab", "average_precision": pytest.approx(found.metrics["map"]), "boxes": 24, "detections": 24},
        {"label": "<b>fish</b>", "average_precision": None, "boxes": 0, "detections": 0},
    ]
    assert [(row["size"], row["boxes"]) for row in found.by_size] == [("small", 0), ("medium", 24), ("large", 0)]
    assert found.by_size[1]["map"] == pytest.approx(found.metrics["map"])
    page = Report("diver", ModelStatus.RELEASED, "by dive", found)
    text = Outline(page.to_html()).text
    assert "mAP at 0.50" in text and "<b>fish</b>" in text
    assert json.loads(page.save(tmp_path / "r.json").read_text())["metrics"]["map"] == found.metrics["map"]
    assert "mAP 0." in repr(page)


def test_a_detector_without_boxes_to_find_has_no_figures() -> None:
    empty = detections(found_in=0, images=12)
    nothing = [TrueBoxes(np.zeros((0, 4)), np.zeros(0, int))] * 12
    found = DetectionEvaluation(**(vars(empty) | {"truth": nothing}))
    assert found.metrics == {} == found.intervals
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_a_segmentation_has_its_report(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=(24, 8, 8))
    given = np.where(rng.random(truth.shape) < 0.9, truth, 1 - truth)
    confusions = np.stack([mask_confusion(one, other, 3) for one, other in zip(truth, given, strict=True)])
    found = SegmentationEvaluation(
        labels=["water", "kelp", "sand"],
        names=[f"{number}.png" for number in range(24)],
        groups=[f"dive {number % 12}" for number in range(24)],
        grouped=True,
        manifest_sha256="0" * 64,
        confusions=confusions,
    )
    assert found.metrics["pixel_accuracy"] == pytest.approx((truth == given).mean())
    both, either = ((truth == 1) & (given == 1)).sum(), ((truth == 1) | (given == 1)).sum()
    assert found.per_class[1]["iou"] == pytest.approx(both / either)
    assert found.per_class[2] == {"label": "sand", "iou": None, "dice": None, "pixels": 0}
    interval = found.intervals["mean_iou"]
    assert interval.low is not None and interval.low < found.metrics["mean_iou"] < interval.high
    page = Report("kelp", ModelStatus.RELEASED, "by dive", found)
    assert "mean IoU" in Outline(page.to_html()).text
    assert json.loads(page.save(tmp_path / "r.json").read_text())["confusion"]["labels"][2] == "sand"


def test_a_page_is_made_of_sections() -> None:
    page = Outline(
        render("Title", [Section("Part", [Words("One <i>."), Words("Two.", warning=True), Listing(["&amp;"])])])
    )
    assert [tag for tag, _ in page.tags if tag in ("h2", "h3", "p", "li", "i")] == ["h2", "h3", "p", "p", "li"]
    assert "One <i>." in page.text and "&amp;" in page.text
    assert page.all("p")[1] == {"class": "note", "role": "note"}
