"""Changes at random are what torch itself would compute, and grey images stay grey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn import functional

from imagine_lib.data import open_dataset
from imagine_lib.data.preprocessing import make_input_spec
from imagine_lib.models.network import to_batch
from imagine_lib.training.augmentation import BRIGHTNESS, CONTRAST, FACTS, _matrices, augment
from imagine_lib.training.progress import EventLog
from imagine_lib.training.recipe import Recipe
from imagine_lib.training.showing import show
from imagine_lib.training.tasks import make_objective

if TYPE_CHECKING:
    from pathlib import Path

SPEC = make_input_spec(24, "pad")
CPU = torch.device("cpu")


def canvases(channels: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (5, 24, 24, channels), dtype=torch.uint8, generator=random)


def normalised(images: torch.Tensor) -> torch.Tensor:
    shares = images.permute(0, 3, 1, 2).double() / 255
    mean, std = torch.tensor(SPEC.mean).view(1, 3, 1, 1), torch.tensor(SPEC.std).view(1, 3, 1, 1)
    return (shares.expand(-1, 3, -1, -1) - mean) / std


@pytest.mark.parametrize("channels", [1, 3])
def test_canvases_are_normalised_by_channel(channels: int) -> None:
    batch = to_batch(canvases(channels), SPEC.mean, SPEC.std, CPU)
    assert torch.allclose(batch.double(), normalised(canvases(channels)), atol=1e-5)
    assert batch.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_turned_moved_and_shaded(channels: int) -> None:
    random = torch.rand(5, FACTS, generator=torch.Generator().manual_seed(1))
    changed = augment(canvases(channels), random, SPEC)
    images = normalised(canvases(channels)).float()
    grid = functional.affine_grid(_matrices(random), list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    gain = 1 + CONTRAST * (2 * random[:, 4] - 1)
    offset = BRIGHTNESS * (2 * random[:, 5] - 1)
    expected = moved * gain.view(-1, 1, 1, 1) + offset.view(-1, 1, 1, 1)
    assert torch.allclose(changed, expected, atol=1e-4)
    assert changed.is_contiguous(memory_format=torch.channels_last)


def test_an_image_that_is_shown_again_is_changed_otherwise() -> None:
    order = torch.tensor([2, 0, 2, 2, 1, 0])
    shown = show(order, 0, 1, FACTS)
    assert len(set(map(tuple, shown.random.tolist()))) == len(order)
    assert torch.equal(shown.random, show(order, 0, 1, FACTS).random)
    assert not torch.equal(shown.random, show(order, 0, 2, FACTS).random)


def test_an_image_that_is_shown_once_is_changed_alike_whatever_the_order() -> None:
    order = torch.tensor([2, 0, 1])
    shown, sorted_ = show(order, 0, 1, FACTS), show(order.sort().values, 0, 1, FACTS)
    assert torch.equal(shown.random, sorted_.random[order])


def test_balanced_sampling_changes_each_showing_of_a_rare_image(plankton: Path, tmp_path: Path) -> None:
    data = open_dataset(plankton)
    rare = [index for index, item in enumerate(data.items) if item.label != "bell"]
    few = [index for index, item in enumerate(data.items) if item.label == "bell"][::3]
    split = data.subset(sorted(rare + few)).split(seed=0)
    log = EventLog(tmp_path / "events.jsonl", [])
    objective = make_objective(split, SPEC, Recipe(balance="sampling"), CPU, log)
    shown = objective.showing(1)
    repeated = shown.positions.mode().values
    rows = shown.random[shown.positions == repeated]
    assert len(rows) > 1
    assert len(set(map(tuple, rows.tolist()))) == len(rows)
