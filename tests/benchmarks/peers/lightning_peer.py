"""Lightning as its documentation has it: a module with AdamW and a one-cycle schedule, stepped with each batch.

Images are changed as in its tutorial on CIFAR-10: brought to one size, padded by an eighth, cropped, mirrored.
"""

from __future__ import annotations

import logging
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import lightning
import torch
from torch import nn
from torchvision.transforms import v2

from tests.benchmarks.peers.race import SIDE, answers, loader, normalised

if TYPE_CHECKING:
    from tests.benchmarks.peers.race import Ask, Race, Watch

RATES = {"random": 3e-3, "starter": 1e-3}
BATCH = 32


class Plankton(lightning.LightningModule):
    """A network and how it learns."""

    def __init__(self, network: nn.Module, rate: float) -> None:
        super().__init__()
        self.network, self._rate = network, rate

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _: int) -> torch.Tensor:
        """Return the loss of a batch."""
        return nn.functional.cross_entropy(self.network(batch[0]), batch[1])

    def configure_optimizers(self) -> Any:
        """Return AdamW and its schedule."""
        optimiser = torch.optim.AdamW(self.parameters(), self._rate)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, self._rate, total_steps=steps)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Examined(lightning.Callback):
    """Asks at the end of each epoch."""

    def __init__(self, race: Race, watch: Watch, ask: Ask) -> None:
        self._race, self._watch, self._ask = race, watch, ask

    def on_train_epoch_end(self, *_: object) -> None:
        """Ask."""
        self._watch.examine(self._race, self._ask)


def train(race: Race, watch: Watch) -> Ask:
    """Train; return what answers images."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    network = race.network()
    resize = v2.Resize((SIDE, SIDE))
    learning = v2.Compose([resize, v2.RandomCrop(SIDE, padding=SIDE // 8), v2.RandomHorizontalFlip(), normalised()])
    ask = partial(answers, network, change=v2.Compose([resize, normalised()]))
    trainer = lightning.Trainer(
        max_epochs=race.epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Examined(race, watch, ask)],
    )
    trainer.fit(Plankton(network, RATES[race.start]), loader(race.fold.train, learning, BATCH, True))
    return ask
