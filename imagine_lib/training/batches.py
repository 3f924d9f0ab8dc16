"""How many images a step: as many as serve the training, and no more than the memory holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from imagine_lib.hardware import free_memory
from imagine_lib.models.builders import is_detector, is_locating

if TYPE_CHECKING:
    from imagine_lib.wire import InputSpec

ON_CPU, ON_GPU = 32, 128
"""More gains nothing on a CPU, and learns less in the same time; a GPU wants to be fed."""

LOCATING_ON_CPU, LOCATING_ON_GPU = 4, 16
"""The same for detectors and segmenters, which do much more work on each image."""

FEWEST_STEPS = 20
"""Steps an epoch that a small set shall have at least: with fewer, it learns too little in an epoch."""

SMALLEST, LOCATING_SMALLEST = 8, 4

SHARE = 0.5
"""Of the free memory that the activations may take: gradients, workspaces and the images want the rest."""


def choose_batch_size(network: nn.Module, spec: InputSpec, images: int, device: torch.device) -> int:
    """Return how many images a step takes.

    Parameters
    ----------
    network
        On its device.
    spec
        The size of the images.
    images
        How many there are to learn from.
    device
        Where to compute.

    Returns
    -------
    int
        At least 2.
    """
    locating = is_locating(network)
    on_cpu, on_gpu = (LOCATING_ON_CPU, LOCATING_ON_GPU) if locating else (ON_CPU, ON_GPU)
    wanted, smallest = on_gpu if device.type == "cuda" else on_cpu, LOCATING_SMALLEST if locating else SMALLEST
    memory = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()
    fits = int(SHARE * memory) // activation_bytes(network, spec.size, device)
    size = wanted
    while size > smallest and (size > fits or size * FEWEST_STEPS > images):
        size //= 2
    return max(2, min(size, fits))


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether memory did not suffice: torch has a class for a full GPU, and only words for a full machine."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "you tried to allocate" in str(error)


def activation_bytes(network: nn.Module, size: int, device: torch.device) -> int:
    """Return the memory that one image takes in training: what is kept of it for the gradients, in bytes.

    Of a detector, that of its features, doubled for what it does with the boxes that it proposes.
    """
    if is_detector(network):
        return 2 * activation_bytes(network.get_submodule("backbone"), size, device)
    kept = 0

    def count(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        if not isinstance(tensor, nn.Parameter):
            kept += tensor.numel() * tensor.element_size()
        return tensor

    pair = torch.zeros(2, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)
    before = {key: value.clone() for key, value in network.named_buffers()}
    training = network.training
    network.train()
    with saved_tensors_hooks(count, lambda tensor: tensor):
        network(pair)
    network.train(training)
    network.load_state_dict(before, strict=False)  # the look must leave no trace in the normalisation
    return max(1, kept // 2)
