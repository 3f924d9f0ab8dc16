"""The head first: a linear classifier on the features of a trained network, in seconds.

Training the head alone before the features keeps the features from being spoilt by a random head (Kumar et al. 2022,
"Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution", section 4). Because the features
stay as they are, they are computed once, and what is usually an epoch or more of training is a convex problem.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from imagine_lib.models.asking import features
from imagine_lib.models.network import last_linear

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imagine_lib.training.classification import Classification

ITERATIONS = 100
"""Of L-BFGS: the loss no longer changes in its third digit."""

PENALTY = 3e-3
"""Weight of the squared weights, on features of unit variance."""


def fit_head(network: nn.Module, features: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> None:
    """Fit the last layer of a network by multinomial logistic regression.

    Parameters
    ----------
    network
        Its last layer is replaced in place.
    features
        What that layer is given; shape (n, features).
    targets
        The classes; int64, shape (n,).
    weights
        How much each class counts; shape (classes,).
    """
    layer = last_linear(network)[2]
    mean, spread = features.mean(dim=0), features.std(dim=0).clamp_min(1e-6)
    standard = (features - mean) / spread
    weight = torch.zeros_like(layer.weight, requires_grad=True)
    bias = torch.zeros_like(layer.bias, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = nn.functional.cross_entropy(standard @ weight.T + bias, targets, weight=weights)
        value = value + PENALTY * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        layer.weight.copy_(weight / spread)
        layer.bias.copy_(bias - (weight / spread) @ mean)


def begin_with_head(network: nn.Module, objective: Classification) -> None:
    """Give a network of trained features a head for the classes of a training.

    Parameters
    ----------
    network
        Changed in place: its head, and what its normalisation expects, which is measured on the new images first (Li
        et al. 2017, "Revisiting Batch Normalization for Practical Domain Adaptation", section 3.2). Without that,
        features learned from other images mean something else as soon as the training goes on.
    objective
        The images.
    """
    adapt_normalisation(network, objective.batches())
    given = features(network, objective.train.canvases, objective.spec, objective.device)
    fit_head(network, given, torch.from_numpy(objective.train.targets), objective.class_weights)


def adapt_normalisation(network: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Measure anew what batch normalisation subtracts and divides by, where a network has it."""
    training = network.training
    update_bn(batches, network)
    network.train(training)
