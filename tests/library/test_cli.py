"""The command line: data on standard output, talk on standard error, exit codes that a script can trust."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from imagine_lib.data.synthetic import write_dataset

if TYPE_CHECKING:
    from imagine_lib.training.run import Run

IMAGINE = Path(sys.executable).parent / "imagine"


def imagine(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("IMAGINE_", "JUPYTERHUB_"))}
    command = [str(IMAGINE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=kept | environment, timeout=300)


def test_the_catalogue_lists_searches_and_shows() -> None:
    listed = json.loads(imagine("catalogue", "list", "--json").stdout)
    assert "phytoplankton" in [entry["name"] for entry in listed]
    assert json.loads(imagine("catalogue", "search", "plankton", "--json").stdout)[0]["name"] == "phytoplankton"
    shown = json.loads(imagine("catalogue", "show", "phytoplankton", "--json").stdout)
    assert shown["status"] == "demonstration"
    assert shown["metrics"]["images"] > 100


def test_predict_answers_good_images_beside_bad_ones(plankton: Path, tmp_path: Path) -> None:
    good = next(plankton.rglob("*.png"))
    bad = tmp_path / "text, named.jpg"
    bad.write_text("no image")
    done = imagine("predict", "phytoplankton", good, bad, "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert set(answer) == {"model", "predictions", "errors"}
    assert answer["model"]["name"] == "phytoplankton"
    assert answer["model"]["status"] == "demonstration"
    assert len(answer["model"]["sha256"]) == 64
    (prediction,) = answer["predictions"]
    assert set(prediction) == {"image", "sample", "label", "probability", "status", "top"}
    assert set(prediction["top"][0]) == {"label", "probability", "aphia_id"}
    assert answer["errors"] == [{"image": str(bad), "message": f"{bad} is not an image, whatever its name says."}]
    assert f"imagine: {bad} is not an image" in done.stderr


def test_predict_without_errors_ends_with_zero_and_says_what_the_model_is(plankton: Path) -> None:
    done = imagine("predict", "phytoplankton", plankton / "synthetic-bell")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 15
    assert "This is a demonstration model" in done.stderr


def test_retrain_and_evaluate(tmp_path: Path) -> None:
    write_dataset(tmp_path / "images", ["disc", "star"], each=10, seed=1, samples=range(2))
    out = tmp_path / "run"
    done = imagine(
        "retrain", "phytoplankton", tmp_path / "images", "--out", out, "--epochs", 1, "--seed", 3, "--json"
    )
    assert done.returncode == 0, done.stderr
    assert "epoch 1/1" in done.stderr
    report = json.loads(done.stdout)
    assert (out / "model" / "model.json").is_file()
    evaluated = json.loads(imagine("evaluate", out, tmp_path / "images", "--json").stdout)
    assert set(evaluated["metrics"]) == {"accuracy", "balanced_accuracy", "macro_f1", "weighted_f1"}
    assert evaluated["test"] == report["test"] | {"excluded_as_seen": 16}
    assert set(evaluated["per_class"][0]) == {"label", "precision", "recall", "f1", "support"}
    assert set(evaluated["confusion"]) == {"labels", "matrix"}


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["predict", "phytoplankto", "x.png"], 1, "did you mean 'phytoplankton'?"),
        (["predict", "phytoplankton", "/no/such.png"], 1, "/no/such.png does not exist."),
        (["predict", "phytoplankton", "nextcloud:/x"], 1, "No storage is linked"),
        (["predict", "a/b/c", "x.png"], 2, "'a/b/c' is no model"),
        (["predict", "ada/model", "x.png"], 1, "There is no workspace to share with"),
        (["predict"], 2, "the following arguments are required"),
        (["dance"], 2, "invalid choice"),
        (["retrain", "phytoplankton", "/no/such", "--out", "x"], 1, "/no/such does not exist."),
        (
            ["retrain", "phytoplankton", "/tmp", "--out", "x", "--epochs", "0"],
            2,
            "Recipe: epochs must be a whole number between 1 and 10000, and is 0.",
        ),
        (["share", "phytoplankton", "Bad Name", "--to", "everyone"], 1, "There is no workspace to share with"),
        (["catalogue", "show", "zzz"], 1, "The catalogue has no module 'zzz'"),
    ],
)
def test_wrong_use_gets_one_sentence(tmp_path: Path, arguments: list[str], code: int, sentence: str) -> None:
    done = imagine(*arguments, HOME=str(tmp_path))
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("name", "audience", "sentence"),
    [
        ("Bad Name", "everyone", "'Bad Name' cannot be a model's name"),
        ("good-name", "somebody", "'somebody' is nobody to share with"),
        ("good-name", "user:", "'user:' is nobody to share with"),
    ],
)
def test_a_wrong_share_costs_no_upload(tiny: Run, name: str, audience: str, sentence: str) -> None:
    nobody = {"IMAGINE_PLATFORM_URL": "http://127.0.0.1:9", "JUPYTERHUB_API_TOKEN": "x"}
    done = imagine("share", tiny.folder, name, "--to", audience, **nobody)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_a_platform_that_is_down_says_so(tiny: Run) -> None:
    nobody = {"IMAGINE_PLATFORM_URL": "http://127.0.0.1:9", "JUPYTERHUB_API_TOKEN": "x"}
    done = imagine("share", tiny.folder, "good-name", "--to", "everyone", **nobody)
    assert done.returncode == 1
    assert "platform at http://127.0.0.1:9 does not answer" in done.stderr


def test_output_that_cannot_be_written_is_said() -> None:
    command = f"{IMAGINE} catalogue list > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "imagine: the output: no space left on device\n"


def test_one_broken_class_warns_on_standard_error(tmp_path: Path) -> None:
    for name in ("a", "b", "empty"):
        (tmp_path / name).mkdir()
    for index in range(5):
        Image.new("L", (9, 9), index).save(tmp_path / "a" / f"{index}.png")
        Image.new("L", (9, 9), 99 + index).save(tmp_path / "b" / f"{index}.png")
    done = imagine("retrain", "phytoplankton", tmp_path, "--out", tmp_path / "run", "--epochs", 1)
    assert "imagine: Class 'empty' holds no images and is left out." in done.stderr
    assert done.returncode == 0
