"""Reading images after the first epoch: images per second of processor time, ours against PIL with torchvision's v2.

One thread on both sides and the processor's time, not the wall's: what a second core or a loader's workers would
hide is counted.
"""

from __future__ import annotations

import os
import tempfile
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

from imagine_lib.data import open_dataset
from imagine_lib.data.loading import load_canvases
from imagine_lib.data.preprocessing import make_input_spec
from imagine_lib.models.network import to_batch
from imagine_lib.training.augmentation import (
    BRIGHTNESS,
    CONTRAST,
    FACTS,
    FLIP_FACTS,
    SHIFT,
    ZOOM,
    augment,
    flip_images,
    flips_of,
)
from imagine_lib.training.feed import Feed
from tests.benchmarks.hardware import THREADS, write_results
from tests.benchmarks.images import BERING, has_photographs, photographs
from tests.benchmarks.peers.race import SIDE, normalised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from imagine_lib.wire import InputSpec
    from tests.benchmarks.options import Options

    Change = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

BATCH = 32
ROUNDS = 5
FLIPS = [v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()]
AFFINE = v2.RandomAffine(180, (SHIFT / 2, SHIFT / 2), (1 - ZOOM, 1 + ZOOM), interpolation=InterpolationMode.BILINEAR)
SHADES = v2.ColorJitter(BRIGHTNESS, CONTRAST)
"""The ranges of our own changes; a shift of ours is in halves of a side."""


def main(options: Options) -> None:
    """Measure and write the table."""
    if not has_photographs("reading"):
        return
    paths = photographs(16 if options.smoke else 1)
    rounds = 1 if options.smoke else ROUNDS
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["IMAGINE_CACHE"] = cache
        spec = make_input_spec(SIDE, "pad")
        feed = _feed(spec, len(paths))
        rows: list[dict[str, object]] = [
            _row(
                "flips",
                len(paths),
                rounds,
                partial(_ours, feed, partial(_flip, spec), FLIP_FACTS),
                partial(_theirs, paths, FLIPS),
            ),
            _row(
                "crop and affine",
                len(paths),
                rounds,
                partial(_ours, feed, partial(_augment, spec), FACTS),
                partial(_theirs, paths, [v2.RandomHorizontalFlip(), AFFINE, SHADES]),
            ),
        ]
    torch.set_num_threads(THREADS)
    write_results("reading", rows, options.smoke)


def _feed(spec: InputSpec, count: int) -> Feed:
    """Return the decoded images as a training has them after its first epoch."""
    data = open_dataset(BERING)
    loaded = load_canvases(data.items[: len(data) : len(data) // count], spec)
    return Feed(loaded.canvases.pick(torch.arange(count).numpy()), spec, torch.device("cpu"))


def _flip(spec: InputSpec, canvases: torch.Tensor, random: torch.Tensor) -> torch.Tensor:
    return to_batch(flip_images(canvases, flips_of(random)), spec.mean, spec.std, canvases.device)


def _augment(spec: InputSpec, canvases: torch.Tensor, random: torch.Tensor) -> torch.Tensor:
    return augment(canvases, random, spec)


def _ours(feed: Feed, change: Change, facts: int, count: int) -> None:
    for positions in torch.randperm(count).split(BATCH):
        change(feed.canvases(positions), torch.rand(len(positions), facts))


def _theirs(paths: Sequence[Path], changes: Sequence[v2.Transform], count: int) -> None:
    steps = v2.Compose([v2.PILToTensor(), v2.Resize((SIDE, SIDE)), *changes, *normalised().transforms[1:]])
    for positions in torch.randperm(count).split(BATCH):
        torch.stack([_read(paths[position], steps) for position in positions])


def _read(path: Path, steps: v2.Transform) -> torch.Tensor:
    with Image.open(path) as image:
        tensor: torch.Tensor = steps(image.convert("RGB"))
    return tensor


def _row(
    changes: str, count: int, rounds: int, ours: Callable[[int], None], theirs: Callable[[int], None]
) -> dict[str, object]:
    """Take turns, so that a machine that slows down slows both."""
    times = [(_seconds(ours, count), _seconds(theirs, count)) for _ in range(rounds)]
    mine, other = (count / median(one) for one in zip(*times, strict=True))
    return {
        "changes": changes,
        "images": count,
        "imagine_lib_per_cpu_second": f"{mine:.0f}",
        "torchvision_per_cpu_second": f"{other:.0f}",
        "ratio": f"{mine / other:.2f}",
    }


def _seconds(read: Callable[[int], None], count: int) -> float:
    begin = time.process_time()
    read(count)
    return time.process_time() - begin
