"""Ask a network about many images: logits, or the features that its last layer is given."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from imagine_lib.models.network import last_linear, to_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import nn

    from imagine_lib.data.loading import Canvases
    from imagine_lib.wire import InputSpec

BATCH = 64
"""Images at a time: more gains nothing on a CPU."""

BATCH_ON_GPU = 512

BATCH_PIXELS = 256**2
"""Pixels of an image above which fewer go at a time, so that memory stays bounded."""


def logits(
    network: nn.Module,
    canvases: Canvases,
    spec: InputSpec,
    device: torch.device,
    told: Callable[[int], None] | None = None,
) -> torch.Tensor:
    """Return what a network answers.

    Parameters
    ----------
    network
        Its mode is as before afterwards.
    canvases
        The images.
    spec
        The preprocessing.
    device
        Where to compute.
    told
        Called with the number of images answered so far.

    Returns
    -------
    torch.Tensor
        float32 on the CPU, shape (n, classes).
    """
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = []
    with torch.inference_mode(), evaluating(network):
        for chunk in _chunks(len(canvases), spec, device):
            batch = to_batch(torch.from_numpy(canvases.take(chunk)), spec.mean, spec.std, device)
            found.append(network(batch).float().cpu())
            if told is not None:
                told(chunk.stop)
    return torch.cat(found) if found else torch.empty(0, last_linear(network)[2].out_features)


def features(network: nn.Module, canvases: Canvases, spec: InputSpec, device: torch.device) -> torch.Tensor:
    """Return what a network's last layer is given; float32 on the CPU, shape (n, features)."""
    layer = last_linear(network)[2]
    caught: list[torch.Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, given: caught.append(given[0].float().cpu()))
    try:
        logits(network, canvases, spec, device)
    finally:
        hook.remove()
    return torch.cat(caught) if caught else torch.empty(0, layer.in_features)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Set a network to answer for a while, and back."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def _chunks(count: int, spec: InputSpec, device: torch.device) -> Iterator[slice]:
    largest = BATCH_ON_GPU if device.type == "cuda" else BATCH
    size = max(1, min(largest, largest * BATCH_PIXELS // spec.size**2))
    for start in range(0, count, size):
        yield slice(start, min(count, start + size))
