"""``imagine predict``, in this process."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from imagine_lib.cli import main
from imagine_lib.wire import ModelStatus
from tests.library.prediction.making import draw_images, make_model

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.api import Model


@pytest.fixture
def images(tmp_path: Path) -> Path:
    draw_images(tmp_path / "images", 5)
    return tmp_path / "images"


def test_lines_on_standard_output_and_notes_on_standard_error(
    model: Model, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(model.package.folder), str(images)]) == 0
    shown = capsys.readouterr()
    rows = [line.split("\t") for line in shown.out.splitlines()]
    wanted = model.predict(images)
    assert [row[0] for row in rows] == [item.image for item in wanted.items]
    assert [row[1] for row in rows] == [item.label for item in wanted.items]
    assert [row[3] for row in rows] == [item.status for item in wanted.items]
    assert shown.err == (
        "imagine: No precision is promised for any class: the model was not calibrated; 0.5 is asked of all.\n"
    )


def test_a_file_instead_of_lines(
    model: Model, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cruise.csv"
    assert main(["predict", str(model.package.folder), str(images), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert len(out.read_text().splitlines()) == 6
    command = ["predict", str(model.package.folder), str(images), "--out", str(tmp_path / "ecotaxa_c.tsv"), "--json"]
    assert main(command) == 0
    assert len(json.loads(capsys.readouterr().out)["predictions"]) == 5
    assert (tmp_path / "ecotaxa_c.tsv").is_file()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("cruise.xlsx", "does not say in which form to write"),
        ("cruise.tsv", "rename 'cruise.tsv' to ecotaxa_cruise.tsv"),
    ],
)
def test_a_file_that_cannot_be_is_refused_before_work_starts(
    model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, sentence: str
) -> None:
    assert main(["predict", str(model.package.folder), str(tmp_path / "no such"), "--out", str(tmp_path / name)]) == 2
    assert sentence in capsys.readouterr().err


def test_a_demonstration_model_is_refused_before_work_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = make_model(tmp_path / "m", status=ModelStatus.DEMONSTRATION).package.folder
    assert main(["predict", str(package), "/no/such", "--out", str(tmp_path / "ecotaxa_c.tsv")]) == 1
    assert "is a demonstration model" in capsys.readouterr().err


def test_names_that_are_no_text_and_bad_images(
    model: Model, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = os.fsdecode(bytes(images) + b"/\xff\t.png")
    (images / "00000.png").rename(odd)
    (images / "zz\n.png").touch()
    for options in ([], ["--json"]):
        assert main(["predict", str(model.package.folder), str(images), *options]) == 1
        shown = capsys.readouterr()
        assert "udcff" in shown.out
        assert "is empty (0 bytes)" in shown.err


def test_a_kept_run_goes_on(model: Model, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["predict", str(model.package.folder), str(images), "--folder", str(tmp_path / "kept")]
    assert main(command) == 0
    first = capsys.readouterr().out
    assert list((tmp_path / "kept").glob("answers-*"))
    assert main(command) == 0
    assert capsys.readouterr().out == first
