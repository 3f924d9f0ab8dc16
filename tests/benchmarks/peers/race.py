"""What all systems are given alike: the images, the network, the seed, and a clock that stands still while they are examined."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch.nn import BatchNorm2d
from torch.utils.data import DataLoader, Dataset
from torchvision.models import mobilenet_v3_small
from torchvision.transforms import v2

import imagine_lib as im
from imagine_lib.evaluation import measures
from imagine_lib.hardware import processors
from imagine_lib.models.network import load_weights, replace_head
from imagine_lib.models.package import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

    from tests.benchmarks.folds import Example, Fold

    Ask = Callable[[Sequence[Example]], list[int]]
    """Answers images with numbers of classes."""

BUILDER = "mobilenet_v3_small"
SIDE = 128
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
STARTER = "phytoplankton"
ANSWERED_AT_ONCE = 64
MOMENTUM = 0.1


@dataclass(frozen=True)
class Race:
    """One training that every system does its own way."""

    fold: Fold
    start: str
    """``random`` or ``starter``: what the weights are at first."""
    epochs: int

    @property
    def seed(self) -> int:
        """Of everything random."""
        return self.fold.number

    def network(self) -> nn.Module:
        """Return torchvision's network with a head for the classes: the same at every call."""
        torch.manual_seed(self.seed)
        if self.start == "random":
            return _quickened(mobilenet_v3_small(num_classes=len(self.fold.classes)))
        package = im.load(STARTER).package
        network = mobilenet_v3_small(num_classes=len(package.manifest.classes))
        load_weights(network, package.folder / WEIGHTS)
        replace_head(network, len(self.fold.classes))
        return _quickened(network)


def _quickened(network: nn.Module) -> nn.Module:
    """Give batch normalisation the momentum that PyTorch gives it by default.

    torchvision's MobileNets have 0.01: after the few hundred steps that such a small set makes, the running statistics
    are still those of random weights, and every system but the one that knows this would answer at random.
    """
    for module in network.modules():
        if isinstance(module, BatchNorm2d):
            module.momentum = MOMENTUM
    return network


class Watch:
    """A stopwatch.

    Parameters
    ----------
    note
        Told of each epoch: its number, the seconds that the training took so far, and the macro-F1.
    """

    def __init__(self, note: Callable[[int, float, float], None]) -> None:
        self._note, self._epoch, self._before = note, 0, 0.0
        self._since: float | None = None

    def go(self) -> None:
        """Let it run."""
        self._since = time.perf_counter()

    def stop(self) -> None:
        """Let it stand still."""
        if self._since is not None:
            self._before += time.perf_counter() - self._since
            self._since = None

    def epoch_ended(self, score: float) -> None:
        """Note an epoch; the watch stands still."""
        self._epoch += 1
        self._note(self._epoch, self._before, score)

    def examine(self, race: Race, ask: Ask) -> None:
        """Note an epoch with what the system answers now, while the watch stands still."""
        self.stop()
        self.epoch_ended(macro_f1(race.fold.select, ask(race.fold.select)))
        self.go()


def macro_f1(examples: Sequence[Example], answers: Sequence[int]) -> float:
    """Return the mean F1 of the classes that are among the images; the same function scores our own epochs."""
    truth, found = np.asarray([example.target for example in examples]), np.asarray(answers)
    return float(measures.macro_f1(measures.confusion_matrix(truth, found, int(max(truth.max(), found.max())) + 1)))


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """Images as torchvision reads and changes them, one by one."""

    def __init__(self, examples: Sequence[Example], change: v2.Transform) -> None:
        self._examples, self._change = examples, change

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        example = self._examples[index]
        with Image.open(example.path) as image:
            return self._change(image.convert("RGB")), example.target


def loader(
    examples: Sequence[Example], change: v2.Transform, batch: int, learning: bool
) -> DataLoader[tuple[torch.Tensor, int]]:
    """Return a loader with a worker on each processor, which live as long as a training does."""
    return DataLoader(
        Pictures(examples, change),
        batch,
        shuffle=learning,
        drop_last=learning and len(examples) > batch,
        num_workers=processors(),
        persistent_workers=learning,
    )


def normalised() -> v2.Transform:
    """Return the last steps of torchvision's presets."""
    return v2.Compose([v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])


def answers(network: nn.Module, examples: Sequence[Example], change: v2.Transform) -> list[int]:
    """Ask a network; its mode is as before afterwards."""
    training = network.training
    network.eval()
    with torch.inference_mode():
        found = [network(batch).argmax(dim=1) for batch, _ in loader(examples, change, ANSWERED_AT_ONCE, False)]
    network.train(training)
    return [int(answer) for answer in torch.cat(found)]
