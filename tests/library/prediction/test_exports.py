"""What leaves: tables, Darwin Core, EcoTaxa, COCO; whatever the files are called."""

from __future__ import annotations

import csv
import io
import json
import re
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagine_lib.data import open_dataset
from imagine_lib.data.content import FileContent
from imagine_lib.errors import DemonstrationModelError, StorageError, UsageError
from imagine_lib.prediction.facts import whereabouts
from imagine_lib.prediction.files import as_lines, check_file, write_file
from imagine_lib.prediction.record import Failure, Found, Guess, Prediction, Predictions
from imagine_lib.wire import ModelStatus, Task
from tests.library.prediction.making import draw_images, make_model
from tests.library.readers.making import draw, ecotaxa, read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imagine_lib.model import Model

NAMES = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..")
)
HOSTILE = st.one_of(NAMES, st.text(alphabet="a \t\r\n\"',;=+\\\u2028é\udcff", min_size=1, max_size=12))


def answered(items: Sequence[Prediction], **changes: object) -> Predictions:
    facts = {"model": "ada/plankton@2", "model_sha256": "b" * 64, "model_status": ModelStatus.RELEASED, "errors": ()}
    return Predictions(items=items, **(facts | changes))  # type: ignore[arg-type]


def one(name: str, **changes: object) -> Prediction:
    facts = {"sample": None, "status": "accepted", "top": (Guess("Tripos", 0.9, 494057), Guess("Other", 0.1))}
    return Prediction(name, **(facts | changes))  # type: ignore[arg-type]


def objects() -> Predictions:
    mask = {"size": [4, 6], "counts": [3, 2, 19]}
    first = Found("fish", 0.9, 11, (1.0, 2.0, 3.5, 4.0), 14.0)
    second = Found("crab", 0.6, None, (0.0, 0.0, 2.0, 2.0), 2.0, mask)
    items = [
        Prediction("a.png", "S1", "accepted", found=(first, second), size=(6, 4), sha256="c" * 64),
        Prediction("empty.png", "S1", "accepted", size=(8, 8)),
    ]
    return answered(items, task=Task.DETECTION)


# ------------------------------------------------------------------------------------------------ tables


@given(st.lists(HOSTILE, min_size=1, max_size=5), HOSTILE)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_csv_and_lines_hold_every_name(tmp_path: Path, names: list[str], sample: str) -> None:
    found = answered([one(name, sample=sample) for name in names])
    path = found.to_csv(tmp_path / "out.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    wanted = [name.encode("utf-8", "backslashreplace").decode() for name in names]
    assert rows[0] == ["image", "sample", "label", "probability", "status", "aphia_id"]
    assert [row[0] for row in rows[1:]] == wanted
    assert {row[1] for row in rows[1:]} == {sample.encode("utf-8", "backslashreplace").decode()}
    lines = list(as_lines(found))
    assert len(lines) == len(names)
    assert all(line.count("\t") == 3 and "\n" not in line and "\r" not in line for line in lines)
    json.dumps(found.to_dict(), ensure_ascii=False).encode()


def test_the_columns_of_a_real_model_are_those_of_its_items(model: Model, blots: list[Path]) -> None:
    found = model.predict(blots)
    table = found.to_dataframe()
    assert table["image"].tolist() == [item.image for item in found.items]
    assert table["label"].tolist() == [item.label for item in found.items]
    assert table["probability"].tolist() == [item.probability for item in found.items]
    assert table["status"].tolist() == [item.status for item in found.items]
    assert [None if pd.isna(number) else number for number in table["aphia_id"]] == [
        item.top[0].aphia_id for item in found.items
    ]
    assert (
        pd.read_csv(io.StringIO(table.to_csv(index=False)))["probability"].tolist() == table["probability"].tolist()
    )


def test_objects_have_one_row_each() -> None:
    table = objects().to_dataframe()
    assert table[["image", "label", "x", "y", "width", "height", "area"]].values.tolist() == [
        ["a.png", "fish", 1.0, 2.0, 3.5, 4.0, 14.0],
        ["a.png", "crab", 0.0, 0.0, 2.0, 2.0, 2.0],
    ]
    assert objects().counts() == {"crab": 1, "fish": 1}
    assert next(as_lines(objects())) == "a.png\tfish\t0.900\taccepted\t1\t2\t3.5\t4"
    plain = objects().to_dict()["predictions"]
    assert plain[0]["found"][1]["mask"] == {"size": [4, 6], "counts": [3, 2, 19]}
    assert plain[1]["found"] == []
    assert "objects" in objects()._repr_html_()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = answered([one("a.png")]).to_csv(tmp_path / "out.csv")
    before = path.read_bytes()
    monkeypatch.setattr(
        "pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(StorageError, match=r"out\.csv could not be written \(no space left on device\)"):
        answered([one("b.png")]).to_csv(path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["out.csv"]


def test_parquet_without_its_library_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="Parquet needs the library pyarrow"):
        answered([one("a.png")]).to_parquet(tmp_path / "out.parquet")


def test_parquet_holds_the_table(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    found = answered([one("a\udcff.png"), one("b.png")])
    table = pd.read_parquet(found.to_parquet(tmp_path / "out.parquet"))
    assert table["image"].tolist() == ["a\\udcff.png", "b.png"]


def test_the_end_of_a_files_name_says_its_form(tmp_path: Path) -> None:
    found = answered([one("a.png")])
    assert json.loads(write_file(found, tmp_path / "o.json").read_text()) == found.to_dict()
    assert write_file(found, tmp_path / "o.csv").read_text().startswith("image,")
    assert write_file(found, tmp_path / "ecotaxa_o.tsv").read_text().startswith("img_file_name\t")
    for name, sentence in (("o.xlsx", "does not say in which form to write"), ("o.tsv", "rename 'o.tsv'")):
        with pytest.raises(UsageError, match=sentence):
            check_file(tmp_path / name, "m", ModelStatus.RELEASED)


# ------------------------------------------------------------------------------------------- Darwin Core


def test_darwin_core_holds_accepted_answers_as_machine_observations() -> None:
    facts = {"date": "2014-04-20", "time": "04:20:00", "latitude": "18.5", "longitude": "-24.25", "depth_min": "3"}
    items = [
        one("a.png", sha256="a" * 64, facts=facts, sample="net1"),
        one("b.png", status="below_threshold", facts=facts),
        one("c.png", status="unknown", facts=facts),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (row,) = answered(items).to_darwin_core().to_dict("records")
    assert row["occurrenceID"] == "sha256:" + "a" * 64
    assert row["basisOfRecord"] == "MachineObservation"
    assert row["occurrenceStatus"] == "present"
    assert row["scientificName"] == "Tripos"
    assert row["scientificNameID"] == "urn:lsid:marinespecies.org:taxname:494057"
    assert row["eventID"] == "net1"
    assert row["eventDate"] == "2014-04-20T04:20:00"
    assert (row["decimalLatitude"], row["decimalLongitude"]) == (18.5, -24.25)
    assert row["minimumDepthInMeters"] == 3
    assert row["identifiedBy"] == "ada/plankton@2"
    assert row["identificationReferences"] == "sha256:" + "b" * 64
    assert row["identificationVerificationStatus"] == "PredictedByMachine"


def test_what_darwin_core_lacks_is_said_in_one_sentence() -> None:
    dated = one("a.png", facts={"date": "2014-04-20"})
    with pytest.warns(UserWarning, match="OBIS needs") as told:
        answered([dated, one("b.png")]).to_darwin_core()
    assert [str(warning.message) for warning in told] == [
        "OBIS needs what the image set does not say: eventDate of 1 of 2 occurrences and coordinates of all "
        "occurrences; add them before you publish."
    ]


def test_what_is_no_taxon_is_no_occurrence(tmp_path: Path) -> None:
    facts = {"date": "2014-04-20", "latitude": "18.5", "longitude": "-24.25"}
    detritus = (Guess("detritus", 0.9), Guess("Tripos", 0.1, 494057))
    items = [one("a.png", facts=facts), *(one(f"{n}.png", facts=facts, top=detritus) for n in range(3))]
    with pytest.warns(UserWarning, match="no AphiaID") as told:
        table = answered(items).to_darwin_core()
    assert table["scientificName"].tolist() == ["Tripos"]
    assert [str(warning.message) for warning in told] == [
        "3 answers are left out, because the model knows no AphiaID of the class: detritus (3); "
        "retrain it on a set that says the AphiaIDs where these are organisms."
    ]


def test_occurrences_are_unique_and_do_not_depend_on_where_the_images_lie(model: Model, tmp_path: Path) -> None:
    first = draw_images(tmp_path / "one", 4)
    for path in first:
        (tmp_path / "one" / f"copy {path.name}").write_bytes(path.read_bytes())
    draw_images(tmp_path / "two", 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        here = model.predict(tmp_path / "one", threshold=0.0).to_darwin_core()["occurrenceID"]
        there = model.predict(tmp_path / "two", threshold=0.0).to_darwin_core()["occurrenceID"]
        boxes = objects().to_darwin_core()["occurrenceID"]
    assert here.is_unique
    assert set(there) < set(here)
    assert boxes.tolist() == [f"sha256:{'c' * 64}#xywh=1,2,3.5,4"]  # the crab has no AphiaID


@pytest.mark.parametrize(
    ("facts", "moment", "place"),
    [
        ({"taken_at": "2020-01-02 03:04:05", "lat": "1", "lng": "2"}, "2020-01-02T03:04:05", (1.0, 2.0)),
        ({"Date": "20200102", "Time": "03:04"}, "2020-01-02T03:04:00", (None, None)),
        ({"eventDate": "2020-01-02T03:04:05Z"}, "2020-01-02T03:04:05Z", (None, None)),
        ({"date": "2020-02-31", "time": "25:00"}, None, (None, None)),
        ({"date": "spring", "latitude": "91", "longitude": "5"}, None, (None, None)),
        ({"latitude": "5", "longitude": "nan"}, None, (None, None)),
        ({}, None, (None, None)),
    ],
)
def test_facts_that_cannot_be_are_none(
    facts: dict[str, str], moment: str | None, place: tuple[float | None, float | None]
) -> None:
    found = whereabouts(facts)
    assert found.moment == moment
    assert (found.latitude, found.longitude) == place


# ----------------------------------------------------------------------------------------------- EcoTaxa


def test_ecotaxa_reads_back_what_was_written(model: Model, tmp_path: Path) -> None:
    """Predict an EcoTaxa set, write the table over its own, and read the set again."""
    root = ecotaxa(tmp_path)
    with pytest.warns(UserWarning, match="1 image not validated in EcoTaxa"):
        found = model.predict(root)
    (root / "net/ecotaxa_net.tsv").unlink()
    path = found.to_ecotaxa(root / "ecotaxa_again.tsv")
    again = read(root)
    assert {item.name: item.sample for item in again.items} == {
        "net/1.png": "net1",
        "net/2.png": "net1",
        "net/3.png": "net2",
    }
    assert {item.facts["date"] for item in again.items} == {"2014-04-20", "2014-04-21"}
    assert all(item.label is None for item in again.items), "a prediction is no validated label"
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    assert all(name.startswith(("img_", "object_", "sample_", "acq_", "process_")) for name in rows[0])
    assert all(any(column) for column in zip(*rows[2:], strict=True)), "what the set does not say has no column"
    for name, kind, *values in zip(*rows, strict=True):
        assert kind in ("[t]", "[f]"), name
        assert kind == "[t]" or all(np.isfinite(float(value)) for value in values), name
    row = dict(zip(rows[0], rows[2], strict=True))
    assert row["object_date"] == "20140420"
    assert row["object_annotation_status"] == "predicted"
    assert row["object_annotation_category"] == found[0].label


@given(st.lists(HOSTILE.map(lambda name: name + ".png"), min_size=1, max_size=5, unique=True), HOSTILE, HOSTILE)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)
def test_ecotaxa_finds_every_row_that_is_written(tmp_path: Path, names: list[str], label: str, sample: str) -> None:
    """As EcoTaxa's back end opens a table: Latin-1 unless it is marked, quotes as in CSV, values stripped."""
    found = answered([one(name, sample=sample, top=(Guess(label, 0.5),)) for name in names])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        path = found.to_ecotaxa(tmp_path / "ecotaxa_o.tsv")
    content = path.read_bytes()
    marked = content.startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig" if marked else "latin-1") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quotechar='"'))[1:]
    written = [row["img_file_name"].strip() for row in rows]
    assert written == [row["img_file_name"] for row in rows]
    assert set(written) <= set(names)
    assert len(written) == len(set(written))
    assert len({row["object_id"].strip() for row in rows}) == len(rows)
    assert all(row["object_id"].strip() for row in rows)
    assert None not in {key for row in rows for key in row}
    assert (len(written) < len(names)) == bool(told)


def test_ecotaxa_names_images_from_the_tables_folder(tmp_path: Path) -> None:
    paths = [draw(tmp_path / "set" / name) for name in ("a/1.png", "b/1.png", "b/1.jpg")]
    items = [one(str(path), content=FileContent(path)) for path in paths]
    for folder, wanted in (
        (tmp_path / "set", ["a/1.png", "b/1.png", "b/1.jpg"]),
        (tmp_path, ["set/a/1.png", "set/b/1.png", "set/b/1.jpg"]),
        (tmp_path / "elsewhere", ["a/1.png", "b/1.png", "b/1.jpg"]),
    ):
        table = pd.read_csv(answered(items).to_ecotaxa(folder / "ecotaxa_t.tsv"), sep="\t").iloc[1:]
        assert table["img_file_name"].tolist() == wanted
        assert table["object_id"].is_unique


def test_ecotaxa_gets_no_category_for_what_is_unknown(tmp_path: Path) -> None:
    items = [one("a.png"), one("b.png", status="unknown"), one("c.png", status="below_threshold")]
    table = pd.read_csv(answered(items).to_ecotaxa(tmp_path / "ecotaxa_t.tsv"), sep="\t", keep_default_na=False).iloc[
        1:
    ]
    assert table["object_annotation_category"].tolist() == ["Tripos", "", "Tripos"]
    assert table["object_annotation_status"].tolist() == ["predicted", "", "predicted"]


def test_ecotaxa_refuses_what_it_would_pass_over(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape("rename 'cruise.tsv' to ecotaxa_cruise.tsv.")):
        answered([one("a.png")]).to_ecotaxa(tmp_path / "cruise.tsv")
    with pytest.raises(UsageError, match="EcoTaxa takes one object an image"):
        objects().to_ecotaxa(tmp_path / "ecotaxa_o.tsv")
    assert not list(tmp_path.iterdir())


def test_a_demonstration_model_is_never_exported(tmp_path: Path, blots: list[Path]) -> None:
    found = make_model(tmp_path / "m", status=ModelStatus.DEMONSTRATION).predict(blots[:2])
    for export in (found.to_darwin_core, lambda: found.to_ecotaxa(tmp_path / "ecotaxa_1.tsv")):
        with pytest.raises(
            DemonstrationModelError, match="is a demonstration model, so its answers cannot be exported"
        ):
            export()
    with pytest.raises(DemonstrationModelError):
        check_file(tmp_path / "ecotaxa_1.tsv", found.model, found.model_status)
    assert not (tmp_path / "ecotaxa_1.tsv").exists()
    assert "demonstration model" in found._repr_html_()


# -------------------------------------------------------------------------------------------------- COCO


def test_coco_reads_back_what_was_written(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", size=(6, 4))
    draw(tmp_path / "empty.png")
    path = objects().to_coco(tmp_path / "found.json")
    content = json.loads(path.read_text())
    assert content["images"][0] == {"id": 1, "file_name": "a.png", "width": 6, "height": 4}
    assert [category["name"] for category in content["categories"]] == ["crab", "fish"]
    first, second = content["annotations"]
    assert (first["category_id"], first["bbox"], first["area"], first["score"]) == (
        2,
        [1.0, 2.0, 3.5, 4.0],
        14.0,
        0.9,
    )
    assert second["segmentation"] == {"size": [4, 6], "counts": [3, 2, 19]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = open_dataset(path)
    boxes = {item.name: [(box.label, box.x, box.width) for box in item.boxes or ()] for item in again.items}
    assert boxes == {"a.png": [("fish", 1.0, 3.5), ("crab", 0.0, 2.0)], "empty.png": []}


def test_coco_is_for_objects(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="COCO is for objects on images"):
        answered([one("a.png")]).to_coco(tmp_path / "c.json")


# ---------------------------------------------------------------------------------------------- notebook


def test_hostile_names_are_text_in_the_page() -> None:
    hostile = "<script>alert(1)</script>"
    failures = tuple(Failure(hostile, f"{hostile} is empty.") for _ in range(12))
    page = answered([one("a.png", top=(Guess(hostile, 0.9),))], errors=failures, notes=(hostile,))._repr_html_()
    assert "<script>" not in page
    assert page.count("&lt;script&gt;") == 1 + 10 + 1
    assert "2 more images could not be read." in page


def test_the_gallery_shows_images_and_boxes(model: Model, blots: list[Path]) -> None:
    assert model.predict(blots).show(2, 3).to_png().startswith(b"\x89PNG")
    found = objects()
    seen = answered(
        [Prediction(i.image, i.sample, i.status, found=i.found, content=FileContent(blots[0])) for i in found.items]
    )
    axes = seen.show().figure.axes
    assert [len(one.patches) for one in axes] == [2, 0]
    assert np.array_equal([one.get_title() for one in axes], ["fish\n90%", "nothing found"])


def test_a_time_with_a_zone_is_brought_to_utc() -> None:
    found = whereabouts({"date": "2021-06-01", "time": "01:00:00+02:00"})
    assert found.moment == "2021-05-31T23:00:00Z"
    assert whereabouts({"date": "2021-06-01", "time": "01:00:00"}).moment == "2021-06-01T01:00:00"
