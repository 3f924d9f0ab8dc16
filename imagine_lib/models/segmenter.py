"""A segmenter with its manifest: which class each pixel of an image belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from imagine_lib.models.asking import evaluating
from imagine_lib.models.network import to_batch
from imagine_lib.models.saving import NetworkModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from imagine_lib.data.loading import Canvases
    from imagine_lib.wire import InputSpec

BATCH = 8
"""Images at a time: more gains nothing on a CPU."""

BATCH_ON_GPU = 32


@dataclass(frozen=True)
class MaskOnCanvas:
    """What a segmenter says of each pixel of one canvas."""

    classes: NDArray[np.uint8]
    """Shape (size, size): the most probable class."""
    probabilities: NDArray[np.float32]
    """Shape (size, size): how probable that one is."""


@dataclass
class Segmenter(NetworkModel):
    """A segmentation network and what its ``model.json`` says."""

    def colour(self, canvases: Canvases, device: torch.device) -> Iterator[MaskOnCanvas]:
        """Name the class of each pixel of canvases; see :func:`colour`."""
        return colour(self.network, canvases, self.manifest.input, device)


def colour(network: nn.Module, canvases: Canvases, spec: InputSpec, device: torch.device) -> Iterator[MaskOnCanvas]:
    """Name the class of each pixel of canvases.

    Parameters
    ----------
    network
        A segmenter; its mode is as before afterwards.
    canvases
        The images.
    spec
        The preprocessing.
    device
        Where to compute.

    Yields
    ------
    MaskOnCanvas
        For each canvas, in order; a few at a time are in memory.
    """
    network.to(device)
    size = BATCH_ON_GPU if device.type == "cuda" else BATCH
    for start in range(0, len(canvases), size):
        pixels = torch.from_numpy(canvases.take(slice(start, start + size)))
        with torch.inference_mode(), evaluating(network):
            logits = network(to_batch(pixels, spec.mean, spec.std, device))["out"].float()
            surest, classes = logits.softmax(dim=1).max(dim=1)
        for numbers, sure in zip(classes.to(torch.uint8).cpu().numpy(), surest.cpu().numpy(), strict=True):
            yield MaskOnCanvas(numbers, sure)
