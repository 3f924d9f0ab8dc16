"""torchvision's reference recipe for classification, in a plain loop with channels last.

``references/classification/train.py`` with its own defaults (SGD, rate 0.1, momentum 0.9, decay 1e-4, batch 32) and
its presets for images, under its cosine schedule with five epochs of linear warm-up. For trained weights the rate is
a tenth, as in torchvision's tutorial on transfer learning.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
from torchvision.transforms import v2

from tests.benchmarks.peers.race import SIDE, answers, loader, normalised

if TYPE_CHECKING:
    from tests.benchmarks.peers.race import Ask, Race, Watch

RATES = {"random": 0.1, "starter": 0.01}
WARMUP = 5
BATCH = 32
MARGIN = 256 / 224
"""By which an image to be answered is larger before its middle is cut out."""


def train(race: Race, watch: Watch) -> Ask:
    """Train; return what answers images."""
    network = race.network().to(memory_format=torch.channels_last)
    learning = v2.Compose([v2.RandomResizedCrop(SIDE), v2.RandomHorizontalFlip(), normalised()])
    asking = v2.Compose([v2.Resize(round(SIDE * MARGIN)), v2.CenterCrop(SIDE), normalised()])
    batches = loader(race.fold.train, learning, BATCH, True)
    optimiser = torch.optim.SGD(network.parameters(), RATES[race.start], momentum=0.9, weight_decay=1e-4)
    warmup = min(WARMUP, race.epochs - 1)
    schedule = SequentialLR(
        optimiser,
        [LinearLR(optimiser, 0.01, total_iters=warmup), CosineAnnealingLR(optimiser, race.epochs - warmup)],
        [warmup],
    )
    ask = partial(answers, network, change=asking)
    for _ in range(race.epochs):
        network.train()
        for batch, targets in batches:
            loss = nn.functional.cross_entropy(network(batch.contiguous(memory_format=torch.channels_last)), targets)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
        watch.examine(race, ask)
    return ask
