"""Networks from torchvision's builders, with a head for our classes on the features."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torchvision import models

from imagine_lib.errors import ModelError, UsageError
from imagine_lib.hardware import processors
from imagine_lib.models.builders import build_locating, is_locating
from imagine_lib.models.families import DETECTORS, SEGMENTERS
from imagine_lib.models.relabelling import answering_parameters, replace_answers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from imagine_lib.wire import Architecture

ARGUMENTS = frozenset({"dropout", "image_size"})
"""What may be said of a network beside its name: a package can come from a stranger, and some arguments of
torchvision's builders fetch weights from the network or take all memory."""

LARGEST_IMAGE = 4096
"""Pixels of an image's side: a vision transformer's memory grows with it."""

HEADS = ("classifier", "fc", "heads", "head")
"""Where torchvision's classification networks keep the layers after the features."""


def build_network(architecture: Architecture, classes: int) -> nn.Module:
    """Build a network with random weights.

    Parameters
    ----------
    architecture
        A torchvision builder's name and its arguments.
    classes
        How many classes it tells apart.

    Returns
    -------
    torch.nn.Module
        For classification: images of shape (n, 3, size, size) in, logits of shape (n, classes) out. For detection
        and segmentation see :func:`imagine_lib.models.builders.build_locating`.

    Raises
    ------
    UsageError
        There is no such network here, or the arguments are others than ``ARGUMENTS``.
    """
    locating = (*DETECTORS, *SEGMENTERS)
    if architecture.builder in locating:
        return build_locating(architecture, classes)
    known = sorted([*models.list_models(module=models), *locating])
    if architecture.builder not in known:
        raise UsageError(f"torchvision has no network {architecture.builder!r}; it has {', '.join(known)}.")
    unknown = sorted(set(architecture.arguments) - ARGUMENTS)
    if unknown:
        raise UsageError(f"A network here takes no argument {unknown[0]!r}; there is {', '.join(sorted(ARGUMENTS))}.")
    arguments: dict[str, float] = dict(architecture.arguments)
    if "image_size" in arguments:
        arguments["image_size"] = _whole_size(arguments["image_size"])
    try:
        network: nn.Module = models.get_model(architecture.builder, weights=None, num_classes=classes, **arguments)
    except (TypeError, ValueError, AssertionError) as error:
        reason = str(error).rstrip(".!")
        raise UsageError(
            f"torchvision cannot build {architecture.builder} with {architecture.arguments}: {reason}."
        ) from None
    return network


def _whole_size(value: float) -> int:
    if value != int(value) or not 0 < value <= LARGEST_IMAGE:
        raise UsageError(
            f"A network cannot be built for images of {value:g} px: give a whole number up to {LARGEST_IMAGE}."
        )
    return int(value)


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


def replace_head(network: nn.Module, classes: int, kept: Mapping[int, Sequence[int]] | None = None) -> None:
    """Put a new last layer for other classes on the features of a trained network.

    Parameters
    ----------
    network
        Changed in place.
    classes
        Number of outputs.
    kept
        For new classes that the network knew already, the old ones that each is made of: one that was kept or
        renamed, or several that were merged. The others begin near zero; those of a detector or segmenter with the
        average of what it knows.
    """
    if is_locating(network):
        replace_answers(network, classes, kept or {})
        return
    parent, name, layer = last_linear(network)
    fresh = nn.Linear(layer.in_features, classes)
    nn.init.normal_(fresh.weight, std=0.01)
    nn.init.zeros_(fresh.bias)
    with torch.no_grad():
        for new, old in (kept or {}).items():
            fresh.weight[new] = layer.weight[list(old)].mean(dim=0)
            fresh.bias[new] = layer.bias[list(old)].logsumexp(dim=0)  # together they are as probable as their sum
    setattr(parent, name, fresh)


def head_parameters(network: nn.Module) -> set[nn.Parameter]:
    """Return the parameters of the layers that answer with classes."""
    if is_locating(network):
        return answering_parameters(network)
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
    torch.set_num_threads(min(torch.get_num_threads(), processors()))  # torch counts the whole machine's
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
        uint8, shape (n, size, size, channels); grey ones are given to all three channels of the network.
    mean, std
        For each channel, of values in 0..1.
    device
        Where to compute.

    Returns
    -------
    torch.Tensor
        float32, shape (n, 3, size, size), channels last in memory.
    """
    canvases = canvases.to(device, non_blocking=True)
    centre, spread = torch.tensor(mean, device=device), torch.tensor(std, device=device)
    count, size, _, channels = canvases.shape
    if channels == 1:  # looked up: on a CPU in two thirds of the time that spreading, subtracting and dividing take
        values = torch.arange(256, device=device).float().div_(255).unsqueeze(1).sub(centre).div_(spread)
        return nn.functional.embedding(canvases.view(count, size, size).int(), values).permute(0, 3, 1, 2)
    rows = canvases.reshape(count * size, size * channels).float()  # whole rows at once: three channels are too few
    rows = rows.mul_((1 / (255 * spread)).repeat(size)).sub_((centre / spread).repeat(size))
    return rows.view(count, size, size, channels).permute(0, 3, 1, 2)
