"""The training loop: each step follows from the recipe and the step before, so that it can go on after any end."""

from __future__ import annotations

import gc
import time
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from imagine_lib.errors import ModelError
from imagine_lib.training.averaging import make_average
from imagine_lib.training.checkpoint import Checkpoint, read_checkpoint, remove_checkpoints, write_checkpoint
from imagine_lib.training.compiling import compile_network
from imagine_lib.training.optimiser import make_optimiser, set_rates
from imagine_lib.training.randomness import number
from imagine_lib.training.standing import Standing, copy_weights, gather_tensors, restore_tensors

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from imagine_lib.training.objective import Objective
    from imagine_lib.training.progress import EventLog
    from imagine_lib.training.recipe import Recipe

SECONDS_BETWEEN_CHECKPOINTS = 120
"""Inside an epoch; at the end of each there is one anyway."""

QUICK_NORMALISATION = 0.1
"""Momentum of batch normalisation: at torchvision's 0.01 for MobileNets, the running statistics are still those of
random weights after ten epochs."""

GROWTH = ((0.4, 0.5), (0.7, 0.75))
"""Until which share of the training images have which share of their side; afterwards they are whole. Tan & Le 2021,
"EfficientNetV2", section 4, grow them likewise."""

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
        Images a step.
    folder
        Where the checkpoints lie.
    log
        Told of every step.
    device
        Where to compute.
    pretrained
        Whether the features were trained before.
    images
        Hash of the split: a checkpoint of other images is refused.
    grows
        Whether the images may begin small: the network takes any size, and has no features yet that know one.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        recipe: Recipe,
        *,
        batch_size: int,
        folder: Path,
        log: EventLog,
        device: torch.device,
        pretrained: bool,
        images: str,
        grows: bool = True,
    ) -> None:
        self._network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        _quicken_normalisation(network)
        self._objective, self._recipe, self._images = objective, recipe, images
        self._folder, self._log, self._device = folder, log, device
        self._grows = recipe.growing and grows
        self._optimiser = make_optimiser(self._network, recipe, pretrained)
        self._average = make_average(self._network, recipe.average) if recipe.average else None
        self._scaler = torch.amp.GradScaler(device.type, enabled=_precision(recipe, device) == torch.float16)
        self._best: dict[str, torch.Tensor] = {}
        self._standing = Standing(batch_size, torch.get_num_threads())
        self._resume()
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
        torch.set_num_threads(self._standing.threads)
        try:
            self._train()
        finally:
            torch.set_num_threads(threads)
        self._network.load_state_dict(self._best)
        self._network.to("cpu").eval()
        return self._standing

    def _train(self) -> None:
        standing = self._standing
        if not self.resumed:
            self._start()
        if self._recipe.compile:
            self._compile()
        while standing.epoch <= self._recipe.epochs and not self._is_patience_over():
            began = time.monotonic()
            self._epoch_within_memory()
            self._judge()
            standing.seconds += time.monotonic() - began
            standing.epoch, standing.step, standing.loss = standing.epoch + 1, 0, 0.0
            self._save()

    def _start(self) -> None:
        """Take the network as it is now, whose head may have been fitted, as the one to better."""
        if self._average is not None:
            self._average.module.load_state_dict(self._network.state_dict())
        self._standing.best, self._best = self._objective.score(self._network), copy_weights(self._network)

    def _compile(self) -> None:
        standing = self._standing
        positions = _chunks(self._objective.order(standing.epoch), standing.batch_size)[0]

        def loss(network: nn.Module) -> torch.Tensor:
            with self._autocast():
                return self._objective.loss(network, positions, standing.epoch, 1.0)

        self._called = compile_network(self._network.train(), loss, self._log)

    def forget(self) -> None:
        """Remove the checkpoints: the model package has made them useless."""
        remove_checkpoints(self._folder)

    def _epoch_within_memory(self) -> None:
        """Train an epoch; where the memory does not suffice go on in steps of half the size, once."""
        while True:
            try:
                return self._epoch()
            except (MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                self._halve()

    def _halve(self) -> None:
        standing, whole = self._standing, self._standing.batch_size
        if standing.halved or whole < SMALLEST_HALVED:
            raise ModelError(
                f"The memory does not suffice for {whole} images of this size at a time: lower image_size or "
                "batch_size in the recipe, or take a machine with more."
            ) from None
        standing.halved, standing.batch_size, standing.step = True, whole // 2, standing.step * 2
        self._log.emit(
            "message",
            text=f"The memory does not suffice for {whole} images at a time: the training goes on with "
            f"{standing.batch_size}. Its result will differ from that of one with {whole} throughout.",
        )
        self._optimiser.zero_grad(set_to_none=True)
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _epoch(self) -> None:
        recipe, standing = self._recipe, self._standing
        chunks = _chunks(self._objective.order(standing.epoch), standing.batch_size)
        self._network.train()
        saved = time.monotonic()
        for step in range(standing.step, len(chunks)):
            done = (standing.epoch - 1 + step / len(chunks)) / recipe.epochs
            torch.manual_seed(number(recipe.seed, standing.epoch, step))  # dropout and its like
            set_rates(self._optimiser, recipe, done)
            standing.loss += self._step(chunks[step], done)
            standing.step = step + 1
            self._log.emit("progress", epoch=standing.epoch, epochs=recipe.epochs, step=step + 1, steps=len(chunks))
            if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                self._save()
                saved = time.monotonic()

    def _step(self, positions: torch.Tensor, done: float) -> float:
        with self._autocast():
            loss = self._objective.loss(self._called, positions, self._standing.epoch, self._share(done))
        if not torch.isfinite(loss):
            raise ModelError(
                f"Training lost its way in epoch {self._standing.epoch} (loss {loss.item()}) at the images "
                f"{self._objective.describe(positions)}: look at them, or lower learning_rate."
            )
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimiser)
        nn.utils.clip_grad_norm_(self._network.parameters(), LARGEST_GRADIENT)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        if self._average is not None:
            self._average.update_parameters(self._network)
        return loss.item()

    def _judge(self) -> None:
        standing = self._standing
        with self._autocast():
            score = self._objective.score(self._judged)
        standing.scores.append(score)
        if score > standing.best:
            standing.best, standing.best_epoch, self._best = score, standing.epoch, copy_weights(self._judged)
        self._log.emit(
            "metric",
            epoch=standing.epoch,
            epochs=self._recipe.epochs,
            loss=standing.loss / max(1, standing.step),
            score=score,
            score_name=self._objective.score_name,
        )

    def _share(self, done: float) -> float:
        """Return the side of the images as a share of the full one."""
        return next((share for until, share in GROWTH if done < until), 1.0) if self._grows else 1.0

    def _is_patience_over(self) -> bool:
        """Tell whether nothing became better for long; while the images still grow, that says nothing."""
        standing, patience = self._standing, self._recipe.patience
        counted = max(standing.best_epoch, GROWTH[-1][0] * self._recipe.epochs if self._grows else 0)
        return patience is not None and standing.epoch - 1 - counted >= patience

    def _autocast(self) -> AbstractContextManager[Any]:
        precision = _precision(self._recipe, self._device)
        return nullcontext() if precision is None else torch.autocast(self._device.type, precision)

    def _save(self) -> None:
        facts = {"standing": asdict(self._standing), "scaler": self._scaler.state_dict(), **self._conditions}
        tensors = gather_tensors(self._network, self._best, self._average, self._optimiser)
        write_checkpoint(self._folder, Checkpoint(tensors, facts))

    def _resume(self) -> None:
        found = read_checkpoint(self._folder)
        if found is None:
            return
        other = [f"another {key}" for key, value in self._conditions.items() if found.facts.get(key) != value]
        if other:
            raise ModelError(
                f"{self._folder} holds a training with {' and '.join(other)}: choose another folder, or delete its "
                "checkpoint."
            )
        self._best = restore_tensors(found.tensors, self._network, self._average, self._optimiser)
        self._scaler.load_state_dict(found.facts["scaler"])
        self._standing = Standing(**found.facts["standing"])
        self._log.emit("message", text=f"Going on from a checkpoint in epoch {self._standing.epoch}.")

    @property
    def _conditions(self) -> dict[str, Any]:
        """Return what must be the same for a checkpoint to be of this training."""
        return {"recipe": self._recipe.to_dict(), "images": self._images}


def _is_out_of_memory(error: Exception) -> bool:
    """Torch tells of a full GPU by a class of its own, and of a full machine only in words."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "you tried to allocate" in str(error)


def _chunks(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    """Cut into batches; a batch of one would leave batch normalisation without a variance."""
    return [chunk for chunk in torch.split(order, size) if len(chunk) > 1]


def _precision(recipe: Recipe, device: torch.device) -> torch.dtype | None:
    """Return the 16-bit type to compute in; None where the hardware has no instructions for one."""
    if not recipe.mixed_precision or device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _quicken_normalisation(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = QUICK_NORMALISATION
