"""Prediction from JPEG files: ours against a plain loop in torchvision's layout, and against the network alone."""

from __future__ import annotations

import tempfile
import time
from copy import deepcopy
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import torch
from torch.utils.data import DataLoader
from torchvision.transforms import v2

import imagine_lib as im
from imagine_lib.data.preprocessing import make_input_spec
from imagine_lib.models.classifier import Classifier, load_classifier
from imagine_lib.models.folding import fold
from imagine_lib.models.network import build_network
from imagine_lib.wire import Architecture, ClassEntry, ModelManifest
from tests.benchmarks.folds import Example
from tests.benchmarks.hardware import THREADS, write_results
from tests.benchmarks.images import SHAPES, has_photographs, photographs
from tests.benchmarks.peers.race import SIDE, STARTER, Pictures, normalised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import nn

    from tests.benchmarks.options import Options

BATCH = 64
ROUNDS = 5


def main(options: Options) -> None:
    """Measure and write the table."""
    if not has_photographs("predicting"):
        return
    paths = photographs(16 if options.smoke else 1)
    rounds = 1 if options.smoke else ROUNDS
    with tempfile.TemporaryDirectory() as scratch:
        write_untrained(Path(scratch) / "efficientnet_b0", "efficientnet_b0", SIDE)
        models = {
            "efficientnet_b0": im.load(Path(scratch) / "efficientnet_b0", device="cpu"),
            "starter": im.load(STARTER, device="cpu"),
        }
        rows = [row for name, model in models.items() for row in _rows(name, model, paths, rounds)]
    write_results("predicting", rows, options.smoke)


def write_untrained(folder: Path, builder: str, size: int) -> None:
    """Write a model package with random weights: how fast it answers does not depend on them."""
    torch.manual_seed(0)
    architecture = Architecture(builder=builder)
    manifest = ModelManifest(
        architecture=architecture,
        classes=[ClassEntry(name=shape) for shape in SHAPES],
        input=make_input_spec(size, "pad"),
        files=[],
    )
    Classifier(build_network(architecture, len(SHAPES)).eval(), manifest).save(folder, "", frozenset())


def _rows(name: str, model: im.Model, paths: list[Path], rounds: int) -> list[dict[str, object]]:
    network = load_classifier(model.package).network
    size = model.package.manifest.input.size
    batches = list(torch.randn(len(paths), 3, size, size).split(BATCH))
    last = [batch.contiguous(memory_format=torch.channels_last) for batch in batches]
    quick = fold(deepcopy(network), size).to(memory_format=torch.channels_last)
    ways: dict[str, Callable[[], object]] = {
        "imagine_lib": partial(model.predict, paths, progress=lambda *_: None),
        "plain loop": partial(_plain, network, paths, size, 0),
        "plain loop, a worker a processor": partial(_plain, network, paths, size, THREADS),
        "network alone": partial(_alone, network, batches),
        "network alone, channels last and folded": partial(_alone, quick, last),
    }
    for run in ways.values():
        run()  # what is made once, at the first call, is not what a long prediction takes
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            begin = time.perf_counter()
            run()
            times[way].append(time.perf_counter() - begin)
    ours = median(times["imagine_lib"])
    return [
        {
            "network": name,
            "way": way,
            "images": len(paths),
            "pixels": size,
            "images_per_second": f"{len(paths) / median(found):.1f}",
            "ours_by_this": f"{median(found) / ours:.3f}",
        }
        for way, found in times.items()
    ]


def _plain(network: nn.Module, paths: list[Path], size: int, workers: int) -> None:
    change = v2.Compose([v2.Resize((size, size)), normalised()])
    pictures = Pictures([Example(path, 0) for path in paths], change)
    _alone(network, (batch for batch, _ in DataLoader(pictures, BATCH, num_workers=workers)))


def _alone(network: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    with torch.inference_mode():
        for batch in batches:
            network(batch).softmax(dim=1).argmax(dim=1)
