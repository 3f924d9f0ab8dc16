"""The training loop: AdamW with a warm-up and a cosine, the head first, the best epoch kept."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch import nn

from imagine_lib.errors import ModelError
from imagine_lib.models.network import head_parameters, to_batch
from imagine_lib.training.augmentation import augment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imagine_lib.models.classifier import Classifier
    from imagine_lib.training.progress import EventLog
    from imagine_lib.training.recipe import Recipe


NORMALISATION_MOMENTUM = 0.1
"""At torchvision's 0.01 for MobileNets, the running statistics are still those of random weights after ten epochs."""


@dataclass(frozen=True)
class Labelled:
    """Canvases with the numbers of their classes."""

    canvases: NDArray[np.uint8]
    """Shape (n, size, size, 3)."""
    targets: NDArray[np.int64]
    """Shape (n,)."""


@dataclass
class Trainer:
    """One training: what learns, from what, and how.

    Parameters
    ----------
    classifier
        Trained in place.
    data, validation
        To learn from, and to choose the best epoch by macro-F1.
    recipe
        How.
    log
        Told of every step.
    device
        Where to compute.
    pretrained
        Whether the features were trained before: then the head goes first and the features follow slowly.
    """

    classifier: Classifier
    data: Labelled
    validation: Labelled
    recipe: Recipe
    log: EventLog
    device: torch.device
    pretrained: bool

    def train(self) -> None:
        """Train; the classifier ends with the weights of its best epoch.

        Raises
        ------
        ModelError
            The loss is no longer a number.
        """
        network = self.classifier.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        _quicken_normalisation(network)
        optimiser, schedule = self._optimiser(network)
        best, best_state = -1.0, copy.deepcopy(network.state_dict())
        for epoch in range(1, self.recipe.epochs + 1):
            _freeze_features(network, self._frozen(epoch))
            loss = self._epoch(network, optimiser, schedule, epoch)
            score = macro_f1(self.classifier, self.validation, self.device)
            if score > best:
                best, best_state = score, copy.deepcopy(network.state_dict())
            self.log.emit("metric", epoch=epoch, epochs=self.recipe.epochs, loss=loss, val_macro_f1=score)
        network.load_state_dict(best_state)
        network.to("cpu").eval()

    def _frozen(self, epoch: int) -> bool:
        """Tell whether only the head learns in an epoch."""
        return self.pretrained and epoch <= min(self.recipe.head_epochs, self.recipe.epochs - 1)

    def _optimiser(self, network: nn.Module) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        recipe, head = self.recipe, head_parameters(network)
        rest = [parameter for parameter in network.parameters() if parameter not in head]
        rates = [
            recipe.learning_rate,
            recipe.learning_rate * (recipe.feature_rate if self.pretrained else 1.0),
        ]
        groups = [
            {
                "params": [parameter for parameter in network.parameters() if parameter in head],
                "lr": rates[0],
            },
            {"params": rest, "lr": rates[1]},
        ]
        optimiser = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            max_lr=rates,
            total_steps=len(self._chunks(torch.arange(len(self.data.targets)))) * recipe.epochs,
            pct_start=recipe.warmup,
            cycle_momentum=False,
        )
        return optimiser, schedule

    def _chunks(self, order: torch.Tensor) -> list[torch.Tensor]:
        """Cut into batches; a batch of one would leave batch normalisation without a variance."""
        return [chunk for chunk in torch.split(order, self.recipe.batch_size) if len(chunk) > 1]

    def _epoch(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
        epoch: int,
    ) -> float:
        spec = self.classifier.manifest.input
        generator = torch.Generator().manual_seed(self.recipe.seed * 100_003 + epoch)
        canvases, targets = torch.from_numpy(self.data.canvases), torch.from_numpy(self.data.targets)
        chunks = self._chunks(torch.randperm(len(targets), generator=generator))
        _set_training(network, self._frozen(epoch))
        total = 0.0
        for step, chunk in enumerate(chunks, start=1):
            batch = to_batch(canvases[chunk], spec.mean, spec.std, self.device)
            if self.recipe.augment:
                batch = augment(batch, generator)
            loss = nn.functional.cross_entropy(network(batch), targets[chunk].to(self.device))
            if not torch.isfinite(loss):
                raise ModelError(f"Training lost its way in epoch {epoch} (loss {loss.item()}): lower learning_rate.")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
            self.log.emit("progress", epoch=epoch, epochs=self.recipe.epochs, step=step, steps=len(chunks))
        return total / len(chunks)


def macro_f1(classifier: Classifier, data: Labelled, device: torch.device) -> float:
    """Return the macro-F1 over the classes that occur in some labelled images."""
    answers = classifier.probabilities(data.canvases, device).argmax(axis=1)
    labels = np.unique(data.targets)
    return float(f1_score(data.targets, answers, labels=labels, average="macro", zero_division=0))


def _set_training(network: nn.Module, frozen: bool) -> None:
    """Set the network to learn; with frozen features, their normalisation stays as it is too."""
    network.train()
    for module in network.modules():
        if frozen and isinstance(module, nn.BatchNorm2d):
            module.eval()


def _quicken_normalisation(network: nn.Module) -> None:
    """Let batch normalisation follow a training of minutes: torchvision's MobileNets are tuned for one of days."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = NORMALISATION_MOMENTUM


def _freeze_features(network: nn.Module, frozen: bool) -> None:
    head = head_parameters(network)
    for parameter in network.parameters():
        parameter.requires_grad_(not frozen or parameter in head)
