"""fastai's documented recipe.

From random weights ``fit_one_cycle`` at 3e-3 (Howard & Gugger 2020, "Deep Learning for Coders", chapter 7); from
trained ones ``fine_tune`` with its defaults: the head for one epoch, then everything. Images are padded, and changed by
``aug_transforms``, with ``flip_vert`` as its documentation has it for pictures without an upside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from fastai.vision.all import (
    Callback,
    CancelValidException,
    CategoryBlock,
    CrossEntropyLossFlat,
    DataBlock,
    ImageBlock,
    IndexSplitter,
    Learner,
    Normalize,
    PadMode,
    Resize,
    ResizeMethod,
    aug_transforms,
    imagenet_stats,
    params,
    parent_label,
    set_seed,
)

from tests.benchmarks.peers.race import SIDE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import nn

    from tests.benchmarks.folds import Example
    from tests.benchmarks.peers.race import Ask, Race, Watch

RATE = 3e-3


def train(race: Race, watch: Watch) -> Ask:
    """Train; return what answers images."""
    set_seed(race.seed)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=list(race.fold.classes))),
        get_y=parent_label,
        splitter=IndexSplitter(range(len(race.fold.train), len(race.fold.train) + len(race.fold.select))),
        item_tfms=Resize(SIDE, method=ResizeMethod.Pad, pad_mode=PadMode.Zeros),
        batch_tfms=[*aug_transforms(flip_vert=True), Normalize.from_stats(*imagenet_stats)],
    )

    def paths(examples: Sequence[Example]) -> list[Path]:
        return [example.path for example in examples]

    loaders = block.dataloaders(paths(race.fold.train + race.fold.select))

    def ask(examples: Sequence[Example]) -> list[int]:
        learner.model.eval()
        with torch.inference_mode():
            found = [learner.model(batch[0]).argmax(dim=1) for batch in loaders.test_dl(paths(examples))]
        return [int(answer) for answer in torch.cat(found)]

    class Examined(Callback):  # type: ignore[misc]
        """Asks at the end of each epoch, in place of fastai's own validation."""

        def before_validate(self) -> None:
            watch.examine(race, ask)
            raise CancelValidException

    learner = Learner(loaders, race.network(), CrossEntropyLossFlat(), splitter=_features_and_head, cbs=[Examined()])
    with learner.no_bar(), learner.no_logging():
        if race.start == "random":
            learner.fit_one_cycle(race.epochs, RATE)
        else:
            learner.fine_tune(race.epochs - 1)
    return ask


def _features_and_head(network: nn.Module) -> list[list[nn.Parameter]]:
    return [params(network.features), params(network.classifier)]
