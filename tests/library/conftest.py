"""A model small enough to train in a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imagine_lib.data import Split, open_dataset
from imagine_lib.models.backbones import backbone
from imagine_lib.models.network import best_device
from imagine_lib.training import Recipe
from imagine_lib.training.retrain import retrain
from imagine_lib.training.start import BackboneStart

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.training.progress import Watcher
    from imagine_lib.training.run import Run

RECIPE = Recipe(epochs=2, batch_size=8, image_size=32, average=0.9)

NOBODY: list[Watcher] = []


def train_tiny(split: Split, folder: Path, watchers: list[Watcher] | None = NOBODY, **changes: object) -> Run:
    recipe = Recipe(**(RECIPE.to_dict() | changes))
    start = BackboneStart(backbone("mobilenet_v3_small", weights=None))
    return retrain(start, split, recipe, name="tiny", folder=folder, device=best_device("cpu"), watchers=watchers)


@pytest.fixture(scope="session")
def tiny_split(plankton: Path) -> Split:
    return open_dataset(plankton).split(seed=0)


@pytest.fixture(scope="session")
def tiny(tiny_split: Split, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train_tiny(tiny_split, tmp_path_factory.mktemp("runs") / "tiny")
