"""fastai on a GPU: mixed precision and channels last by its own callbacks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fastai.vision.all import (
    Callback,
    CancelValidException,
    ImageDataLoaders,
    Learner,
    Normalize,
    Resize,
    aug_transforms,
    imagenet_stats,
)

from imagine_lib.hardware import processors

if TYPE_CHECKING:
    from tests.benchmarks.gpu import Bench


class Timed(Callback):  # type: ignore[misc]
    """Measures the training part of each epoch."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.seconds = bench, 0.0

    def before_train(self) -> None:
        """Begin."""
        self.begin = time.perf_counter()

    def after_train(self) -> None:
        """End."""
        self.bench.wait()
        self.seconds = time.perf_counter() - self.begin

    def before_validate(self) -> None:
        """Leave fastai's own validation out."""
        raise CancelValidException


def training(bench: Bench) -> float:
    """Return images per second of the second epoch."""
    learner = _learner(bench)
    timed = Timed(bench)
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(2, 3e-3, cbs=[timed])
    return len(learner.dls.train) * bench.batch / timed.seconds


def prediction(bench: Bench) -> float:
    """Return images per second of the second pass."""
    learner = _learner(bench)
    loader = learner.dls.test_dl(bench.paths)
    with learner.no_bar(), learner.no_logging():
        for _ in range(2):
            begin = time.perf_counter()
            learner.get_preds(dl=loader)
            bench.wait()
            seconds = time.perf_counter() - begin
    return len(bench.paths) / seconds


def _learner(bench: Bench) -> Any:
    loaders = ImageDataLoaders.from_folder(
        bench.folder,
        valid_pct=0.05,
        seed=0,
        item_tfms=Resize(bench.side),
        batch_tfms=[*aug_transforms(), Normalize.from_stats(*imagenet_stats)],
        bs=bench.batch,
        num_workers=processors(),
        device=bench.device,
    )
    learner = Learner(loaders, bench.network())
    return learner.to_fp16().to_channelslast() if bench.device.type == "cuda" else learner
