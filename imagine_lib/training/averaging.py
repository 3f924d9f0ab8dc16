"""A running average of a network's weights, which is better than the weights of any one moment.

Exponential moving average with a decay that grows from the start (Morales-Brotons, Vogels & Hendrikx 2024,
"Exponential Moving Average of Weights in Deep Learning: Dynamics and Benefits", section 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.optim.swa_utils import AveragedModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import nn

WARM = 10
"""The decay after n steps is at most (1 + n) / (WARM + n): an average that remembers the random start is no use."""


def make_average(network: nn.Module, decay: float) -> AveragedModel:
    """Return the average of a network, to be told of each step by ``update_parameters``.

    Parameters
    ----------
    network
        The network that learns.
    decay
        How much of the average stays at each step, in 0..1.
    """

    def mix(averages: Sequence[torch.Tensor], currents: Sequence[torch.Tensor], count: torch.Tensor | int) -> None:
        steps = int(count)
        share = 1 - min(decay, (1 + steps) / (WARM + steps))
        for average, current in zip(averages, currents, strict=True):
            if average.is_floating_point():
                average.lerp_(current, share)
            else:
                average.copy_(current)

    return AveragedModel(network, multi_avg_fn=mix, use_buffers=True)
