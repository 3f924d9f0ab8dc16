"""On a GPU: images per second of training and prediction against timm and fastai, and against the network alone.

Every system gets resnet50, 20,000 drawn images of 128 px as JPEG files, batches of 256, 16-bit computing, channels last
and ``torch.compile``. A training is measured in its second epoch, a prediction after one of a thousand images.
"""

from __future__ import annotations

import importlib
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from torchvision.models import resnet50

from tests.benchmarks.hardware import write_results
from tests.benchmarks.images import SHAPES, draw_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.options import Options

SYSTEMS = {"imagine_lib": "gpu_ours", "timm": "gpu_timm", "fastai": "gpu_fastai"}
ALONE = "network alone, on resident tensors"
TASKS = ("training", "prediction")


@dataclass(frozen=True)
class Bench:
    """What every system is given."""

    device: torch.device
    folder: Path
    """One folder a class."""
    paths: list[Path]
    side: int
    batch: int

    @property
    def compiles(self) -> bool:
        """Whether there is enough to do for the compiler to pay."""
        return self.device.type == "cuda"

    def network(self) -> nn.Module:
        """Return the network on its device, with channels last, compiled."""
        torch.manual_seed(0)
        network = resnet50(num_classes=len(SHAPES)).to(self.device, memory_format=torch.channels_last)
        return self.compiled(network)

    def compiled(self, network: nn.Module) -> nn.Module:
        """Return a network compiled where that pays."""
        return torch.compile(network) if self.compiles else network

    def halved(self) -> torch.autocast:
        """Return the context that computes in 16 bits."""
        return torch.autocast(self.device.type, torch.bfloat16)

    def wait(self) -> None:
        """Wait until all that was asked of the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def main(options: Options) -> None:
    """Measure and write the table."""
    if not torch.cuda.is_available() and not options.smoke:
        rows = [_row(task, system, None, None) for task in TASKS for system in (*SYSTEMS, ALONE)]
        write_results("gpu", rows, options.smoke, gpu=True)
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))  # a GPU is fed by all processors of its machine
    side, count, batch = (32, 128, 16) if options.smoke else (128, 20_000, 256)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["IMAGINE_CACHE"] = os.environ["FASTAI_HOME"] = scratch
        folder = Path(scratch) / "images"
        paths = draw_folder(folder, count, side)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        rows = _measure(Bench(device, folder, paths, side, batch))
    write_results("gpu", rows, options.smoke, gpu=True)


def _measure(bench: Bench) -> list[dict[str, object]]:
    alone = {"training": _train_alone(bench), "prediction": _predict_alone(bench)}
    rows = []
    for task in TASKS:
        verb: dict[str, Callable[[Bench], float]] = {
            name: getattr(importlib.import_module(f"tests.benchmarks.peers.{module}"), task)
            for name, module in SYSTEMS.items()
        }
        rows += [_row(task, name, measure(bench), alone[task]) for name, measure in verb.items()]
        rows.append(_row(task, ALONE, alone[task], alone[task]))
    return rows


def _train_alone(bench: Bench) -> float:
    network, images, targets = bench.network().train(), _resident(bench), _targets(bench)
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3, fused=bench.device.type == "cuda")

    def epoch() -> None:
        for _ in range(len(bench.paths) // bench.batch):
            with bench.halved():
                loss = nn.functional.cross_entropy(network(images), targets)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return _rate(bench, epoch)


def _predict_alone(bench: Bench) -> float:
    network, images = bench.network().eval(), _resident(bench)

    def epoch() -> None:
        with torch.inference_mode(), bench.halved():
            for _ in range(len(bench.paths) // bench.batch):
                network(images)

    return _rate(bench, epoch)


def _rate(bench: Bench, epoch: Callable[[], None]) -> float:
    epoch()
    bench.wait()
    begin = time.perf_counter()
    epoch()
    bench.wait()
    return len(bench.paths) // bench.batch * bench.batch / (time.perf_counter() - begin)


def _resident(bench: Bench) -> torch.Tensor:
    images = torch.randn(bench.batch, 3, bench.side, bench.side, device=bench.device)
    return images.contiguous(memory_format=torch.channels_last)


def _targets(bench: Bench) -> torch.Tensor:
    return torch.arange(bench.batch, device=bench.device) % len(SHAPES)


def _row(task: str, system: str, rate: float | None, alone: float | None) -> dict[str, object]:
    return {
        "task": task,
        "system": system,
        "images_per_second": "not measured" if rate is None else f"{rate:.0f}",
        "share_of_network_alone": "not measured" if rate is None or alone is None else f"{rate / alone:.3f}",
    }
