"""Small images with several drawn bodies on each, and models small enough to train on them in a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imagine_lib.data import Split, open_dataset
from imagine_lib.data.mosaics import write_mosaics
from imagine_lib.models.backbones import backbone
from imagine_lib.models.network import best_device
from imagine_lib.training import Recipe
from imagine_lib.training.retrain import retrain
from imagine_lib.training.start import BackboneStart

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.data import ImageSet
    from imagine_lib.training.progress import Watcher
    from imagine_lib.training.run import Run
    from imagine_lib.training.start import Start

SIZE = (96, 64)

DETECTOR, SEGMENTER = "ssdlite320_mobilenet_v3_large", "lraspp_mobilenet_v3_large"

RECIPE = Recipe(epochs=1, batch_size=4, image_size=64, average=0.8)

NOBODY: list[Watcher] = []


def train(
    start: str | Start, split: Split, folder: Path, watchers: list[Watcher] | None = NOBODY, **changes: object
) -> Run:
    recipe = Recipe(**(RECIPE.to_dict() | changes))
    begin = BackboneStart(backbone(start, weights=None)) if isinstance(start, str) else start
    return retrain(begin, split, recipe, name="tiny", folder=folder, device=best_device("cpu"), watchers=watchers)


def messages(run: Run) -> list[str]:
    return [event["text"] for event in run.events if event["type"] == "message"]


@pytest.fixture(scope="session")
def mosaics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mosaics")
    write_mosaics(folder, ["disc", "star"], count=16, seed=1, size=SIZE)
    return folder


@pytest.fixture(scope="session")
def boxed(mosaics: Path) -> ImageSet:
    return open_dataset(mosaics)


@pytest.fixture(scope="session")
def masked(mosaics: Path) -> ImageSet:
    return open_dataset(mosaics, format="masks")


@pytest.fixture(scope="session")
def detector(boxed: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(DETECTOR, boxed.split(), tmp_path_factory.mktemp("runs") / "detector")


@pytest.fixture(scope="session")
def segmenter(masked: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(SEGMENTER, masked.split(), tmp_path_factory.mktemp("runs") / "segmenter")
