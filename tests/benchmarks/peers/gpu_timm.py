"""timm on a GPU: its loader with prefetching, its optimiser, its resnet50."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import timm
import torch
from timm.data import ImageDataset, create_loader
from timm.optim import create_optimizer_v2
from torch import nn

from imagine_lib.hardware import processors
from tests.benchmarks.images import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.gpu import Bench


def training(bench: Bench) -> float:
    """Return images per second of the second epoch."""
    network, loader = _network(bench).train(), _loader(bench, learning=True)
    optimiser = create_optimizer_v2(network, "adamw", lr=1e-3, weight_decay=0.02)

    def step(batch: torch.Tensor, targets: torch.Tensor) -> None:
        with bench.halved():
            loss = nn.functional.cross_entropy(network(batch), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return _second_epoch(bench, loader, step)


def prediction(bench: Bench) -> float:
    """Return images per second of the second pass."""
    network, loader = _network(bench).eval(), _loader(bench, learning=False)

    def step(batch: torch.Tensor, _: torch.Tensor) -> None:
        with torch.inference_mode(), bench.halved():
            network(batch)

    return _second_epoch(bench, loader, step)


def _network(bench: Bench) -> nn.Module:
    network = timm.create_model("resnet50", num_classes=len(SHAPES))
    return bench.compiled(network.to(bench.device, memory_format=torch.channels_last))


def _loader(bench: Bench, learning: bool) -> Any:
    return create_loader(
        ImageDataset(str(bench.folder)),
        input_size=(3, bench.side, bench.side),
        batch_size=bench.batch,
        is_training=learning,
        use_prefetcher=bench.device.type == "cuda",
        num_workers=processors(),
        persistent_workers=True,
        device=bench.device,
    )


def _second_epoch(bench: Bench, loader: Any, step: Callable[[torch.Tensor, torch.Tensor], None]) -> float:
    for _ in range(2):
        begin, count = time.perf_counter(), 0
        for batch, targets in loader:
            step(batch.to(memory_format=torch.channels_last), targets)
            count += len(batch)
        bench.wait()
        seconds = time.perf_counter() - begin
    return count / seconds
