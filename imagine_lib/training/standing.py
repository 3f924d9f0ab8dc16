"""Where a training stands: how far it is, and everything that the next step depends on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn
    from torch.optim.swa_utils import AveragedModel

    from imagine_lib.training.progress import Event


@dataclass
class Standing:
    """How far a training is."""

    batch_size: int
    """Images a step."""
    threads: int
    """Which decide, with the batch, in what order sums are taken."""
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    """When the first session began."""
    seconds: float = 0.0
    """Of all sessions, up to the last checkpoint."""
    compiled: bool | None = None
    """Whether the compiled network is trained; None until that is decided."""
    halved: bool = False
    """Whether the memory did not suffice for the batch that it began with."""
    epoch: int = 1
    images: int = 0
    """Images of the epoch that are done."""
    loss: float = 0.0
    """Sum over these."""
    best: float = -1.0
    best_epoch: int = 0
    metrics: list[Event] = field(default_factory=list)
    """What was told of each epoch that is over."""


def copy_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return a copy of a network's weights."""
    return {key: value.detach().clone() for key, value in network.state_dict().items()}


def gather_tensors(
    network: nn.Module,
    best: dict[str, torch.Tensor],
    average: AveragedModel | None,
    optimiser: torch.optim.Optimizer,
) -> dict[str, torch.Tensor]:
    """Return all tensors of a training by name; none shares memory with another, which a file would refuse."""
    tensors = {f"network.{key}": value for key, value in network.state_dict().items()}
    tensors |= {f"best.{key}": value for key, value in best.items()}
    if average is not None:
        tensors |= {f"average.{key}": value for key, value in average.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{key}": value for key, value in state.items()}
    return {key: value.clone() for key, value in tensors.items()}


def restore_tensors(
    tensors: dict[str, torch.Tensor],
    network: nn.Module,
    average: AveragedModel | None,
    optimiser: torch.optim.Optimizer,
) -> dict[str, torch.Tensor]:
    """Put the tensors of a training back; return the best weights."""
    network.load_state_dict(_below("network", tensors))
    if average is not None:
        average.load_state_dict(_below("average", tensors))
    optimiser.load_state_dict(optimiser.state_dict() | {"state": _moments(tensors, optimiser)})
    return _below("best", tensors)


def _moments(
    tensors: dict[str, torch.Tensor], optimiser: torch.optim.Optimizer
) -> dict[int, dict[str, torch.Tensor]]:
    """Return the optimiser's state laid out in memory as its weights are, which fused AdamW takes for granted."""
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in _below("optimiser", tensors).items():
        index, _, name = key.partition(".")
        like = weights[int(index)]
        laid = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
        state.setdefault(int(index), {})[name] = laid
    return state


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key.removeprefix(f"{prefix}."): value for key, value in tensors.items() if key.startswith(f"{prefix}.")}
