"""The starter model is what its files say, is small, and answers today what it answered when it was stored."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import imagine_lib as im
from imagine_lib.data.loading import load_canvases
from imagine_lib.data.opening import open_images
from imagine_lib.data.synthetic import DRAWN, draw_image
from imagine_lib.errors import DemonstrationModelError

GOLDEN = Path(__file__).parent / "starter-golden.json"
"""Probabilities for one drawing of each class that the starter model knows, in the order of its classes."""

SCRIPT = Path(__file__).parents[2] / "images" / "phytoplankton-classification" / "train.py"


@pytest.fixture(scope="module")
def starter() -> im.Model:
    return im.load("phytoplankton", device="cpu")


@pytest.fixture(scope="module")
def drawings(starter: im.Model, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("drawings")
    paths = [folder / f"{label}.png" for label in starter.classes]
    for path in paths:
        draw_image(path.stem.removeprefix(DRAWN), seed=4711, sample=77).save(path)
    return paths


def test_it_fits_into_five_megabytes(starter: im.Model) -> None:
    assert sum(path.stat().st_size for path in starter.package.folder.iterdir()) <= 5 * 1024**2


def test_it_says_what_it_is(starter: im.Model, drawings: list[Path], tmp_path: Path) -> None:
    assert starter.status == "demonstration"
    assert all(label.startswith(DRAWN) for label in starter.classes)
    assert all(entry.aphia_id is None for entry in starter.package.manifest.classes)
    assert "Demonstration model" in starter.card
    found = starter.predict(drawings)
    assert "demonstration model" in found._repr_html_()
    with pytest.raises(DemonstrationModelError):
        found.to_darwin_core()
    with pytest.raises(DemonstrationModelError):
        found.to_ecotaxa(tmp_path / "ecotaxa_x.tsv")


def test_it_knows_its_classes(starter: im.Model, drawings: list[Path]) -> None:
    right = [item.label == Path(item.image).stem for item in starter.predict(drawings).items]
    assert sum(right) >= len(right) - 1


def test_it_answers_as_it_did(starter: im.Model, drawings: list[Path]) -> None:
    canvases = load_canvases(open_images(drawings).items, starter.package.manifest.input).canvases
    answers = starter.network.probabilities(canvases, starter.device)
    assert np.abs(answers - np.asarray(json.loads(GOLDEN.read_text()))).max() < 1e-3


def test_what_is_retrained_on_drawings_stays_a_demonstration(
    starter: im.Model, plankton: Path, tmp_path: Path
) -> None:
    run = starter.retrain(im.open_dataset(plankton), im.Recipe(epochs=1), folder=tmp_path / "run", watchers=[])
    assert run.model.status == "demonstration"


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_it_can_be_made_again(starter: im.Model, tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(SCRIPT), str(tmp_path / "model")], check=True)
    stored, made = starter.package.manifest.metrics, im.load(tmp_path / "model").package.manifest.metrics
    assert stored is not None
    assert made is not None
    assert made.manifest_sha256 == stored.manifest_sha256
    assert made.values == pytest.approx(stored.values, abs=0.02)
