"""What is in each sample, and in how much water."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from imagine_lib.data.content import FileContent
from imagine_lib.data.imageset import ImageItem, ImageSet, Sample
from imagine_lib.errors import DataError, UsageError
from imagine_lib.evaluation.calibration import fit_temperature
from imagine_lib.evaluation.counts import ASSUMPTION, fit_counts
from imagine_lib.evaluation.unknowns import energy, fit_energy
from imagine_lib.models.calibration import CalibrationImages
from imagine_lib.prediction.answers import ClassAnswers
from imagine_lib.prediction.counting import NOT_CALIBRATED
from imagine_lib.prediction.record import Failure, Found, Prediction, Predictions
from imagine_lib.prediction.rule import AnswerRule
from imagine_lib.prediction.volumes import read_volumes
from imagine_lib.wire import Calibration, ModelStatus, Task
from tests.library.prediction.making import CLASSES, make_model, plain_answers, probabilities, softmax

if TYPE_CHECKING:
    from imagine_lib.model import Model

NAMES = [entry.name for entry in CLASSES]


def sampled(paths: list[Path], extra: list[Path] | None = None) -> ImageSet:
    """Images of the samples net1 and net2 in turn; only net1 has a volume."""
    items = [
        ImageItem(FileContent(path), path.name, sample=f"net{index % 2 + 1}")
        for index, path in enumerate([*paths, *(extra or [])])
    ]
    return ImageSet("cruise", tuple(items), samples={"net1": Sample(2500.0, 4.0), "net2": Sample(None)})


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory, blots: list[Path]) -> Model:
    """A model with 200 calibrate images in 20 groups, and the strangest tenth of blots unknown."""
    folder = tmp_path_factory.mktemp("calibrated")
    plain = plain_answers(make_model(folder / "plain"), blots)
    energies = -np.log(np.exp(plain).sum(axis=1))
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200)
    logits = (rng.normal(0, 2, (200, 3)) + 3 * np.eye(3)[truth]).astype(np.float32)
    answers = CalibrationImages(logits, truth, np.arange(200) // 10)
    calibration = Calibration(
        temperature=1.5, thresholds=[0.9, 0.9, 0.9], images=200, unknown_above=float(np.quantile(energies, 0.9))
    )
    return make_model(folder / "model", calibration, answers)


def test_counts_are_those_of_the_adjustment_sample_by_sample(
    calibrated: Model, blots: list[Path], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.touch()
    found = calibrated.predict(sampled(blots, [bad]))
    table = found.counts_by_sample()
    given = found.items.calibration  # type: ignore[attr-defined]
    adjustment = fit_counts(given.truth, softmax(given.logits.astype(float) / 1.5), given.groups.astype(str))
    unknown = np.array([item.status == "unknown" for item in found.items])
    assert 0 < unknown.sum() < 10
    for number, sample in enumerate(("net1", "net2")):
        member = np.arange(30) % 2 == number
        wanted = adjustment.count(probabilities(found)[member])
        rows = table[table["sample"] == sample].set_index("class")
        assert rows.loc[NAMES, "counted"].tolist() == wanted.answered.tolist()
        assert rows.loc[NAMES, "adjusted"].to_numpy() == pytest.approx(wanted.adjusted)
        assert rows.loc[NAMES, "low"].to_numpy() == pytest.approx(wanted.low)
        assert rows.loc[NAMES, "high"].to_numpy() == pytest.approx(wanted.high)
        assert rows.loc["(of these called unknown)", "counted"] == (member & unknown).sum()
        assert rows.loc["(unreadable)", "counted"] == (1 if sample == "net1" else 0)
        assert rows.loc["(total)", "counted"] == rows["counted"].iloc[:-2].sum() == member.sum() + (sample == "net1")
    assert table.notes == (ASSUMPTION,)
    assert ASSUMPTION in repr(table)
    assert ASSUMPTION in table._repr_html_()


def test_a_model_without_calibration_counts_only_and_says_so(model: Model, blots: list[Path]) -> None:
    found = model.predict(sampled(blots))
    table = found.counts_by_sample()
    assert table.columns.tolist() == ["sample", "class", "counted"]
    assert table.notes == (NOT_CALIBRATED,)
    sums = table[table["class"].isin(NAMES)].groupby("class")["counted"].sum()
    assert {name: int(number) for name, number in sums.items() if number} == found.counts()
    assert not found.counts_by_sample(adjusted=False).notes


def test_images_that_look_strange_do_not_make_their_class_rare() -> None:
    """The fuzzy class is most of what is called unknown, and seven times as frequent as in the calibrate images."""
    rng = np.random.default_rng(0)

    def asked(truth: np.ndarray) -> np.ndarray:
        strength = np.array([2.5, 7.0, 7.0])[truth]
        return rng.normal(0, 1, (len(truth), 3)) + strength[:, None] * np.eye(3)[truth]

    truth = rng.choice(3, 1500, p=[0.1, 0.6, 0.3])
    calibrate_images = CalibrationImages(asked(truth).astype(np.float32), truth, np.arange(1500) // 50)
    temperature = fit_temperature(calibrate_images.logits, truth)
    mix = np.array([0.7, 0.2, 0.1])
    sizes = rng.poisson(200, 20)
    logits = asked(rng.choice(3, sizes.sum(), p=mix))
    names = np.repeat([f"net{number:02}" for number in range(20)], sizes)
    answers = ClassAnswers(
        images=tuple(ImageItem(FileContent(Path("x.png")), "x.png", sample=name) for name in names.tolist()),
        hashes=np.zeros((len(names), 32), np.uint8),
        probabilities=softmax(logits / temperature).astype(np.float32),
        energies=energy(logits),
        rule=AnswerRule(CLASSES, np.zeros(3), np.zeros(3, bool), fit_energy(calibrate_images.logits), ""),
        temperature=temperature,
        calibration=calibrate_images,
    )
    table = Predictions("m", "a" * 64, ModelStatus.RELEASED, answers, ()).counts_by_sample()
    assert 0.2 < table[table["class"] == "(of these called unknown)"]["counted"].sum() / len(names) < 0.6
    found = [table[table["class"] == name] for name in NAMES]
    shares = [rows["adjusted"].mean() / (200 * share) for rows, share in zip(found, mix, strict=True)]
    assert shares == pytest.approx([1, 1, 1], abs=0.08)
    held = [((rows["low"] <= 200 * m) & (200 * m <= rows["high"])).mean() for rows, m in zip(found, mix, strict=True)]
    assert min(held) >= 0.85


def test_images_without_a_sample_are_counted_together(model: Model, blots: list[Path]) -> None:
    table = model.predict(blots).counts_by_sample()
    assert set(table["sample"]) == {"all images"}
    assert table.set_index("class").loc["(total)", "counted"] == 30


def test_a_sample_of_which_nothing_could_be_read_is_still_counted(model: Model, tmp_path: Path) -> None:
    (tmp_path / "bad.png").touch()
    rows = model.predict(sampled([tmp_path / "bad.png"])).counts_by_sample().set_index("class")["counted"]
    assert rows["(unreadable)"] == rows["(total)"] == 1


def test_groups_are_samples_where_the_set_has_none(model: Model, blots: list[Path]) -> None:
    from dataclasses import replace

    data = sampled(blots)
    grouped = replace(data, items=tuple(replace(item, sample=None, group="S") for item in data.items))
    assert set(model.predict(grouped).counts_by_sample()["sample"]) == {"S"}


def test_abundance_is_count_times_subsampling_over_volume(calibrated: Model, blots: list[Path]) -> None:
    found = calibrated.predict(sampled(blots))
    volumes = pd.DataFrame({"sample": ["net2"], "volume_l": [50.0], "subsampling": [2]})
    table = found.abundance(volumes, unit="m3")
    counts = found.counts_by_sample()
    for sample, factor in (("net1", 4 / 2.5), ("net2", 2 / 0.05)):
        rows = table[table["sample"] == sample].set_index("class")
        counted = counts[counts["sample"] == sample].set_index("class")
        for name, column in (("abundance", "adjusted"), ("low", "low"), ("high", "high")):
            assert rows.loc[NAMES, name].to_numpy() == pytest.approx(counted.loc[NAMES, column].to_numpy() * factor)
        assert rows.loc["(total)", "abundance"] == pytest.approx(15 * factor)
        assert set(rows["unit"]) == {"individuals per m3"}
    assert table.notes[0] == ASSUMPTION
    litres = found.abundance(volumes).set_index(["sample", "class"])["abundance"]
    assert litres["net1", "(total)"] == pytest.approx(15 * 4 / 2500)


def test_a_file_of_volumes_goes_before_the_set_which_still_says_the_subsampling(
    model: Model, blots: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "v.csv").write_text("Sample;volume_L\nnet1;10\nnet2;20\n")
    table = model.predict(sampled(blots)).abundance(tmp_path / "v.csv").set_index(["sample", "class"])["abundance"]
    assert table["net1", "(total)"] == pytest.approx(15 * 4 / 10)
    assert table["net2", "(total)"] == pytest.approx(0.75)


def test_abundance_without_a_volume_refuses_and_says_how_to_give_one(model: Model, blots: list[Path]) -> None:
    with pytest.raises(DataError) as refused:
        model.predict(sampled(blots)).abundance()
    assert str(refused.value) == (
        "There is no volume of water for sample 'net2': give a table with the columns sample and volume_l (litres), "
        "as in abundance('volumes.csv')."
    )
    with pytest.raises(DataError, match="Some images belong to no sample, so there is no abundance"):
        model.predict(blots).abundance(pd.DataFrame({"sample": ["all images"], "volume_l": [1]}))
    with pytest.raises(UsageError, match="per L or per m3"):
        model.predict(sampled(blots[:1])).abundance(unit="ml")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("sample,litres\na,1\n", "has no column 'volume_l'"),
        ("sample,volume_l\na,1\na,2\n", "has sample 'a' twice"),
        ("sample,volume_l\na,0\n", "has '0' as volume_l of sample 'a': write a number above 0"),
        ("sample,volume_l\na,much\n", "has 'much' as volume_l"),
        ("sample,volume_l\na,inf\n", "has 'inf' as volume_l"),
        ("sample,volume_l,subsampling\na,1,-2\n", "has '-2' as subsampling"),
        ("", "has no column 'sample'"),
        ('sample,volume_l\n"a,1\n', "cannot be read as a table: look for a quote that is not closed"),
    ],
)
def test_a_table_of_volumes_that_cannot_be_right_is_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "v.csv").write_text(content)
    with pytest.raises(DataError, match=sentence):
        read_volumes(tmp_path / "v.csv")


def test_a_table_of_volumes_is_read_as_people_write_it(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("\ufeffsample\tvolume_l\tsubsampling\n 007 \t1.5\t\nb\t2\t3\n", encoding="utf-8")
    assert read_volumes(tmp_path / "v.csv") == {"007": Sample(1.5, 1.0), "b": Sample(2.0, 3.0)}
    with pytest.raises(DataError, match=r"no\.csv cannot be read: no such file or directory"):
        read_volumes(tmp_path / "no.csv")


def test_objects_are_counted_as_they_were_found() -> None:
    fish = Found("fish", 0.9, None, (0, 0, 1, 1), 1.0)
    crab = Found("crab", 0.8, None, (0, 0, 1, 1), 1.0)
    items = (
        Prediction("a", "S1", "accepted", found=(fish, fish, crab)),
        Prediction("b", "S2", "accepted", found=(fish,)),
        Prediction("c", "S2", "accepted"),
    )
    found = Predictions(
        "m", "a" * 64, ModelStatus.RELEASED, items, (Failure("d", "d is empty.", 3, "S2"),), Task.DETECTION,
        samples={"S1": Sample(2.0), "S2": Sample(1.0)},
    )  # fmt: skip
    table, unknown = found.counts_by_sample(), "(of these called unknown)"
    assert table[["sample", "class", "counted"]].values.tolist() == [
        ["S1", "crab", 1], ["S1", "fish", 2], ["S1", "(unreadable)", 0], ["S1", "(total)", 3], ["S1", unknown, 0],
        ["S2", "crab", 0], ["S2", "fish", 1], ["S2", "(unreadable)", 1], ["S2", "(total)", 2], ["S2", unknown, 0],
    ]  # fmt: skip
    assert found.abundance().set_index(["sample", "class"]).loc[("S1", "fish"), "abundance"] == 1.0
