"""Networks from torchvision's builders, with a head for our classes on the features."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torchvision import models

from imagine_lib.data.loading import processors
from imagine_lib.errors import ModelError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.wire import Architecture

ARGUMENTS = frozenset({"dropout"})
"""What may be said of a network beside its name: a package can come from a stranger, and some arguments of
torchvision's builders fetch weights from the network or take all memory."""

HEADS = ("classifier", "fc", "heads", "head")
"""Where torchvision's classification networks keep the layers after the features."""


def build_network(architecture: Architecture, classes: int) -> nn.Module:
    """Build a classification network with random weights.

    Parameters
    ----------
    architecture
        A torchvision builder's name and its arguments.
    classes
        Number of outputs.

    Returns
    -------
    torch.nn.Module
        Images of shape (n, 3, size, size) in, logits of shape (n, classes) out.

    Raises
    ------
    UsageError
        torchvision has no such classification network, or the arguments are others than ``ARGUMENTS``.
    """
    known = models.list_models(module=models)
    if architecture.builder not in known:
        raise UsageError(f"torchvision has no network {architecture.builder!r}; it has {', '.join(known)}.")
    unknown = sorted(set(architecture.arguments) - ARGUMENTS)
    if unknown:
        raise UsageError(f"A network here takes no argument {unknown[0]!r}; there is {', '.join(ARGUMENTS)}.")
    try:
        network: nn.Module = models.get_model(
            architecture.builder, weights=None, num_classes=classes, **architecture.arguments
        )
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"torchvision cannot build {architecture.builder} with {architecture.arguments}: {error}."
        ) from None
    return network


def last_linear(network: nn.Module) -> tuple[nn.Module, str, nn.Linear]:
    """Find the layer that turns features into classes.

    Parameters
    ----------
    network
        One of torchvision's.

    Returns
    -------
    parent, name, layer
        The layer and where it sits.

    Raises
    ------
    ModelError
        The network does not end in a linear layer.
    """
    for head in HEADS:
        if hasattr(network, head):
            found = [(f"{head}.{name}".rstrip("."), layer) for name, layer in getattr(network, head).named_modules()]
            linear = [(name, layer) for name, layer in found if isinstance(layer, nn.Linear)]
            if linear:
                path, layer = linear[-1]
                parent, _, name = path.rpartition(".")
                return network.get_submodule(parent), name, layer
    raise ModelError(f"{type(network).__name__} does not end in a linear layer: choose another network.")


def replace_head(network: nn.Module, classes: int) -> None:
    """Put a fresh linear layer for other classes on the features of a trained network."""
    parent, name, layer = last_linear(network)
    fresh = nn.Linear(layer.in_features, classes)
    nn.init.normal_(fresh.weight, std=0.01)
    nn.init.zeros_(fresh.bias)
    if isinstance(parent, nn.Sequential):
        parent[int(name)] = fresh
    else:
        setattr(parent, name, fresh)


def head_parameters(network: nn.Module) -> set[nn.Parameter]:
    """Return the parameters of the last layer."""
    return set(last_linear(network)[2].parameters())


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill a network from a safetensors file; weights stored as float16 become float32.

    Raises
    ------
    ModelError
        The file is damaged or belongs to another network.
    """
    try:
        tensors = load_file(path)
        floats = {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}
        network.load_state_dict(floats)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} cannot be read as safetensors: {error}.") from None
    except RuntimeError:
        raise ModelError(f"{path} does not fit the network that its model.json names.") from None


def best_device(name: str | None = None) -> torch.device:
    """Return the device to compute on: the one named, else CUDA where there is one, else the CPU.

    Raises
    ------
    UsageError
        CUDA was asked for and there is none.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError("There is no GPU here: leave device out, or give device='cpu'.")
    return torch.device(name)


def describe(device: torch.device) -> str:
    """Name the hardware behind a device, for the record of a run."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {processors()} processors"


def to_batch(canvases: torch.Tensor, mean: list[float], std: list[float], device: torch.device) -> torch.Tensor:
    """Bring canvases to the device and normalise them there.

    Parameters
    ----------
    canvases
        uint8, shape (n, size, size, 3).
    mean, std
        For each channel, of values in 0..1.
    device
        Where to compute.

    Returns
    -------
    torch.Tensor
        float32, shape (n, 3, size, size), channels last in memory.
    """
    batch = canvases.to(device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)
    centre = torch.tensor(mean, device=device).view(1, 3, 1, 1)
    spread = torch.tensor(std, device=device).view(1, 3, 1, 1)
    return batch.sub_(centre).div_(spread).contiguous(memory_format=torch.channels_last)
