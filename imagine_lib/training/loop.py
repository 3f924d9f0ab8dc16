"""The training loop: each step follows from the recipe and the step before, so that it can go on after any end."""

from __future__ import annotations

import gc
import math
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from imagine_lib.errors import ModelError
from imagine_lib.training.averaging import make_average
from imagine_lib.training.batches import is_out_of_memory
from imagine_lib.training.checkpoint import (
    Checkpoint,
    has_checkpoint,
    read_checkpoint,
    remove_checkpoints,
    write_checkpoint,
)
from imagine_lib.training.compiling import compile_network
from imagine_lib.training.optimiser import make_optimiser, set_rates
from imagine_lib.training.precision import choose_precision, computing_in, make_scaler
from imagine_lib.training.randomness import number
from imagine_lib.training.standing import Standing, copy_weights, gather_tensors, restore_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from imagine_lib.training.objective import Objective
    from imagine_lib.training.progress import EventLog
    from imagine_lib.training.recipe import Recipe
    from imagine_lib.training.showing import Showing

SECONDS_BETWEEN_CHECKPOINTS = 120
"""Inside an epoch; at the end of each there is one anyway."""

QUICK_NORMALISATION = 0.1
"""Momentum of batch normalisation: at torchvision's 0.01 for MobileNets, the running statistics are still those of
random weights after ten epochs."""

LARGEST_GRADIENT = 1.0

SMALLEST_HALVED = 4
"""Normalisation needs two images in a batch."""


class Trainer:
    """One training: what learns, what for, and how.

    Parameters
    ----------
    network
        Trained in place; it ends with the weights of the best epoch.
    objective
        The task and its images.
    recipe
        How.
    batch_size
        Says how many images a step takes; not asked where a checkpoint says it.
    folder
        Where the checkpoints lie.
    log
        Told of every step.
    device
        Where to compute.
    pretrained
        Whether the features were trained before.
    origin
        What the training is of, beside the recipe: a checkpoint of another one is refused. Plain data, by the word
        that the refusal uses.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        recipe: Recipe,
        *,
        batch_size: Callable[[], int],
        folder: Path,
        log: EventLog,
        device: torch.device,
        pretrained: bool,
        origin: Mapping[str, Any],
    ) -> None:
        self._network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        _quicken_normalisation(network)
        self._objective, self._recipe, self._origin = objective, recipe, origin
        self._folder, self._log, self._device = folder, log, device
        self._optimiser = make_optimiser(self._network, recipe, pretrained)
        self._average = make_average(self._network, recipe.average) if recipe.average else None
        self._precision = choose_precision(recipe, device)
        self._scaler = make_scaler(self._precision, device)
        self._best: dict[str, torch.Tensor] = {}
        self.standing = self._resume() or Standing(batch_size(), torch.get_num_threads())
        self._clock = time.monotonic() - self.standing.seconds
        self._called = self._network

    @property
    def resumed(self) -> bool:
        """Whether it goes on from a checkpoint."""
        return bool(self._best)

    @property
    def _judged(self) -> nn.Module:
        return self._network if self._average is None else self._average.module

    def train(self) -> Standing:
        """Train to the end.

        Returns
        -------
        Standing
            The network has the weights of the best epoch, and is on the CPU.

        Raises
        ------
        ModelError
            The loss is no longer a number, the memory does not suffice, or a checkpoint cannot be written.
        """
        threads = torch.get_num_threads()
        torch.set_num_threads(self.standing.threads)
        try:
            self._train()
        finally:
            torch.set_num_threads(threads)
        self._network.load_state_dict(self._best)
        self._network.to("cpu").eval()
        return self.standing

    def _train(self) -> None:
        standing = self.standing
        if not self.resumed:
            self._start()
        if self._recipe.compile:
            self._compile()
        while standing.epoch <= self._recipe.epochs and not self._is_patience_over():
            while not self._does_epoch_fit():
                self._halve()
            self._judge()
            standing.epoch, standing.images, standing.loss = standing.epoch + 1, 0, 0.0
            self._save()

    def _start(self) -> None:
        """Take the network as it is now, whose head may have been fitted, as the one to better."""
        if self._average is not None:
            self._average.module.load_state_dict(self._network.state_dict())
        self.standing.best, self._best = self._objective.score(self._network), copy_weights(self._network)

    def _compile(self) -> None:
        """Let torch compile the network if that pays; a training that goes on does as it did before."""
        standing = self.standing
        if standing.compiled is False:
            return
        shown = self._objective.showing(standing.epoch)[: standing.batch_size]

        def loss(network: nn.Module) -> torch.Tensor:
            with computing_in(self._precision, self._device):
                return self._objective.loss(network, shown)

        self._called = compile_network(self._network.train(), loss, self._log, pays=standing.compiled is True)
        standing.compiled = self._called is not self._network

    def forget(self) -> None:
        """Remove the checkpoints: the model package has made them useless."""
        remove_checkpoints(self._folder)

    def _does_epoch_fit(self) -> bool:
        """Train what is left of an epoch; return whether the memory sufficed."""
        try:
            self._epoch()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    def _halve(self) -> None:
        """Go on in steps of half the size, once."""
        standing, whole = self.standing, self.standing.batch_size
        if standing.halved or whole < SMALLEST_HALVED:
            raise ModelError(
                f"The memory does not suffice for {whole} images of this size at a time: lower image_size or "
                "batch_size in the recipe, or take a machine with more."
            )
        standing.halved, standing.batch_size = True, whole // 2
        self._log.emit(
            "message",
            text=f"The memory does not suffice for {whole} images at a time: the training goes on with "
            f"{standing.batch_size}. Its result will differ from that of one with {whole} throughout.",
        )
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler = make_scaler(self._precision, self._device, self._scaler.state_dict())  # it may be in mid-step
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _epoch(self) -> None:
        recipe, standing = self._recipe, self.standing
        batches = self._objective.showing(standing.epoch)[standing.images :].batches(standing.batch_size)
        before = math.ceil(standing.images / standing.batch_size)
        steps = before + len(batches)
        self._network.train()
        saved = time.monotonic()
        for step, shown in enumerate(batches, before):
            torch.manual_seed(number(recipe.seed, standing.epoch, step))  # dropout and its like
            set_rates(self._optimiser, recipe, (standing.epoch - 1 + step / steps) / recipe.epochs)
            standing.loss += self._step(shown) * len(shown)
            standing.images += len(shown)
            self._log.emit("progress", epoch=standing.epoch, epochs=recipe.epochs, step=step + 1, steps=steps)
            if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                self._save()
                saved = time.monotonic()

    def _step(self, shown: Showing) -> float:
        with computing_in(self._precision, self._device):
            loss = self._objective.loss(self._called, shown)
        if not torch.isfinite(loss):
            raise self._lost("loss", loss.item(), shown)
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimiser)
        length = nn.utils.clip_grad_norm_(self._network.parameters(), LARGEST_GRADIENT)
        if not (self._scaler.is_enabled() or torch.isfinite(length)):  # a scaler leaves such a step out by itself
            raise self._lost("gradient", float(length), shown)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        if self._average is not None:
            self._average.update_parameters(self._network)
        return loss.item()

    def _lost(self, what: str, value: float, shown: Showing) -> ModelError:
        return ModelError(
            f"Training lost its way in epoch {self.standing.epoch} ({what} {value}) at the images "
            f"{self._objective.describe(shown.positions)}: look at them, or lower learning_rate."
        )

    def _judge(self) -> None:
        standing = self.standing
        with computing_in(self._precision, self._device):
            score = self._objective.score(self._judged)
        if score > standing.best:
            standing.best, standing.best_epoch, self._best = score, standing.epoch, copy_weights(self._judged)
        event = self._log.emit(
            "metric",
            epoch=standing.epoch,
            epochs=self._recipe.epochs,
            loss=standing.loss / max(1, standing.images),
            score=score,
            score_name=self._objective.score_name,
        )
        standing.metrics.append(event)

    def _is_patience_over(self) -> bool:
        standing, patience = self.standing, self._recipe.patience
        return patience is not None and standing.epoch - 1 - standing.best_epoch >= patience

    def _save(self) -> None:
        self.standing.seconds = time.monotonic() - self._clock
        facts = {"standing": asdict(self.standing), "scaler": self._scaler.state_dict(), **self._conditions}
        tensors = gather_tensors(self._network, self._best, self._average, self._optimiser)
        write_checkpoint(self._folder, Checkpoint(tensors, facts))

    def _resume(self) -> Standing | None:
        found = read_checkpoint(self._folder)
        if found is None:
            if has_checkpoint(self._folder):
                damaged = f"The checkpoints in {self._folder} are damaged: the training begins anew."
                self._log.emit("message", text=damaged)
            return None
        other = [f"another {key}" for key, value in self._conditions.items() if found.facts.get(key) != value]
        if other:
            raise ModelError(
                f"{self._folder} holds a training with {' and '.join(other)}: choose another folder, or delete its "
                "checkpoint."
            )
        self._best = restore_tensors(found.tensors, self._network, self._average, self._optimiser)
        self._scaler = make_scaler(self._precision, self._device, found.facts["scaler"])
        standing = Standing(**found.facts["standing"])
        self._log.recall(standing.metrics)
        self._log.emit("message", text=f"Going on from a checkpoint in epoch {standing.epoch}.")
        return standing

    @property
    def _conditions(self) -> dict[str, Any]:
        """Return what must be the same for a checkpoint to be of this training."""
        return {"recipe": self._recipe.to_dict(), **self._origin}


def _quicken_normalisation(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = QUICK_NORMALISATION
