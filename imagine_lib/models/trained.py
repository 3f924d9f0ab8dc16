"""Trained tensors of a network: read without running anything, and put where they belong.

A ``.pth`` is a pickle; it is read as plain tensors only and never met again after its conversion.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import safetensors.torch
import torch
from safetensors import SafetensorError
from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings

from imagine_lib.errors import ModelError
from imagine_lib.models.network import build_network, last_linear
from imagine_lib.wire import Architecture

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

POSITIONS = "encoder.pos_embedding"
"""What a vision transformer has learned of each place in the image; its length depends on the image's size."""

USUAL_CLASSES = 1000


def read_tensors(path: Path, origin: str) -> dict[str, torch.Tensor]:
    """Read a ``.safetensors``, or the state dict in a ``.pth``, onto the CPU.

    Parameters
    ----------
    path
        The file.
    origin
        What the message calls it: a file that was fetched is known by where it was fetched from.

    Raises
    ------
    ModelError
        The file is damaged, or a ``.pth`` holds more than tensors by name.
    """
    if path.suffix == ".safetensors":
        try:
            return safetensors.torch.load_file(path)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{origin} cannot be read as safetensors: {error}.") from None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # a damaged or hostile pickle fails in as many ways as there are
        raise ModelError(
            f"{origin} is damaged or holds more than tensors: save it again with torch.save(network.state_dict(), …)."
        ) from None
    if not isinstance(found, dict) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in found.items()
    ):
        raise ModelError(f"{origin} holds no table of tensors by name: save network.state_dict() and nothing else.")
    return dict(found)


def describe_tensors(builder: str, tensors: Mapping[str, torch.Tensor], origin: str) -> tuple[Architecture, int]:
    """Find out which network tensors belong to.

    Parameters
    ----------
    builder
        The torchvision builder that they are said to be of.
    tensors
        By name.
    origin
        Where they come from, for the message.

    Returns
    -------
    architecture, classes
        What :func:`build_network` needs for a network that they fill.

    Raises
    ------
    ModelError
        They are of another network.
    """
    with torch.device("meta"):
        network = build_network(Architecture(builder=builder), USUAL_CLASSES)
    head = tensors.get(_head_name(network))
    if head is None or head.ndim != 2 or not len(head):
        raise _misfit(builder, origin)
    architecture = Architecture(builder=builder)
    if isinstance(network, VisionTransformer):
        positions = tensors.get(POSITIONS)
        if positions is None or positions.ndim != 3 or positions.shape[1] < 2:
            raise _misfit(builder, origin)
        side = math.isqrt(positions.shape[1] - 1) * network.patch_size
        architecture = Architecture(builder=builder, arguments={"image_size": side})
    with torch.device("meta"):
        network = build_network(architecture, head.shape[0])
    fill(network, tensors, builder, origin, assign=True)
    return architecture, head.shape[0]


def fill(
    network: nn.Module, tensors: Mapping[str, torch.Tensor], builder: str, origin: str, assign: bool = False
) -> None:
    """Give a network trained tensors; every one must find its place.

    Parameters
    ----------
    network
        Changed in place. A vision transformer may be for images of another size than the tensors': what it knows of
        each place is then interpolated (torchvision's ``interpolate_embeddings``, after Dosovitskiy et al. 2021,
        "An Image is Worth 16x16 Words", section 3.2).
    tensors
        By name.
    builder, origin
        What the network is and where the tensors come from, for the message.
    assign
        Make the tensors themselves the network's, in place of copying their values.

    Raises
    ------
    ModelError
        They belong to another network.
    """
    try:
        if isinstance(network, VisionTransformer):
            tensors = interpolate_embeddings(network.image_size, network.patch_size, dict(tensors))
        network.load_state_dict(tensors, assign=assign)
    except (KeyError, RuntimeError, ValueError):
        raise _misfit(builder, origin) from None


def convert(builder: str, path: Path, target: Path, origin: str) -> int:
    """Write the weights in a file as safetensors, with the names and types of today's torchvision.

    Parameters
    ----------
    builder
        The torchvision builder that they belong to.
    path
        A ``.safetensors``, or a ``.pth`` whose hash was checked.
    target
        Where to write.
    origin
        What the message calls the file.

    Returns
    -------
    int
        Number of classes of their head.

    Raises
    ------
    ModelError
        The file is damaged, of another network, or holds values that are no numbers.
    OSError
        The disk is full.
    """
    tensors = read_tensors(path, origin)
    architecture, classes = describe_tensors(builder, tensors, origin)
    network = build_network(architecture, classes)
    fill(network, tensors, builder, origin)
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    if not all(torch.isfinite(value).all() for value in state.values()):
        raise ModelError(f"{origin} holds values that are no numbers: the training that made it went wrong.")
    try:
        safetensors.torch.save_file(state, target, metadata={"format": "pt"})
    except SafetensorError as error:
        raise OSError(str(error)) from None
    return classes


def _head_name(network: nn.Module) -> str:
    """Return the name of the weights of the last layer."""
    layer = last_linear(network)[2]
    return next(name for name, parameter in network.named_parameters() if parameter is layer.weight)


def _misfit(builder: str, origin: str) -> ModelError:
    return ModelError(f"{origin} does not hold weights of {builder}: name the network that it was saved from.")
