"""What learns how fast: AdamW, layer by layer, and the rise and fall of the learning rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from imagine_lib.models.network import head_parameters

if TYPE_CHECKING:
    from imagine_lib.training.recipe import Recipe


def make_optimiser(network: nn.Module, recipe: Recipe, pretrained: bool) -> torch.optim.AdamW:
    """Return AdamW with a learning rate for each block of the network.

    Parameters
    ----------
    network
        One of torchvision's.
    recipe
        ``learning_rate`` is the head's. With trained weights each block below learns at ``layer_decay`` times the
        rate of the block above: what is near the pixels is general and should change least (Howard & Ruder 2018,
        "Universal Language Model Fine-tuning", section 3.2; Clark et al. 2020, "ELECTRA", appendix A).
    pretrained
        Whether the features were trained before.

    Returns
    -------
    torch.optim.AdamW
        Fused, which on a CPU takes a fraction of the time of one update a tensor. Biases and normalisation are not
        decayed.
    """
    blocks = _blocks(network)
    groups: list[dict[str, Any]] = []
    for depth, parameters in enumerate(blocks):
        rate = recipe.learning_rate * (recipe.layer_decay ** (len(blocks) - 1 - depth) if pretrained else 1.0)
        for decay, flat in ((recipe.weight_decay, False), (0.0, True)):
            chosen = [parameter for parameter in parameters if (parameter.ndim < 2) == flat]
            if chosen:
                groups.append({"params": chosen, "lr": rate, "peak": rate, "weight_decay": decay})
    return torch.optim.AdamW(groups, fused=True)


def set_rates(optimiser: torch.optim.Optimizer, recipe: Recipe, done: float) -> None:
    """Set the learning rates of a moment: up in a straight line, then down on a cosine to zero.

    Parameters
    ----------
    optimiser
        Made by :func:`make_optimiser`.
    recipe
        ``warmup`` is the share of the training in which the rates rise.
    done
        How much of the training is done, in 0..1.
    """
    rising = done / recipe.warmup if recipe.warmup else 1.0
    falling = (1 + math.cos(math.pi * (done - recipe.warmup) / (1 - recipe.warmup))) / 2
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * (rising if done < recipe.warmup else falling)


def _blocks(network: nn.Module) -> list[list[nn.Parameter]]:
    """Return the network's parameters block by block, from the pixels to the head, which is the last."""
    head = head_parameters(network)
    found: dict[str, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter not in head:
            found.setdefault(_block_of(name), []).append(parameter)
    return [*found.values(), [parameter for parameter in network.parameters() if parameter in head]]


def _block_of(name: str) -> str:
    """Return the part of a parameter's name that says its block: ``features.3``, ``layer2.0``."""
    parts = name.split(".")
    numbered = (index for index, part in enumerate(parts) if part.rpartition("_")[2].isdigit())
    return ".".join(parts[: next(numbered, 0) + 1])
