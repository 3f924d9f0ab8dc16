"""A detector with its manifest: which things are on an image, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from imagine_lib.models.asking import evaluating
from imagine_lib.models.builders import detections
from imagine_lib.models.network import to_batch
from imagine_lib.models.saving import NetworkModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from imagine_lib.data.loading import Canvases
    from imagine_lib.wire import InputSpec

BATCH = 4
"""Images at a time: more gains nothing on a CPU."""

BATCH_ON_GPU = 16


@dataclass(frozen=True)
class FoundOnCanvas:
    """What a detector found on one canvas, surest first."""

    corners: NDArray[np.float32]
    """Shape (boxes, 4): left, top, right, bottom, in canvas pixels."""
    classes: NDArray[np.int64]
    """Shape (boxes,)."""
    scores: NDArray[np.float32]
    """Shape (boxes,): how sure it is, in 0..1."""


@dataclass
class Detector(NetworkModel):
    """A detection network and what its ``model.json`` says."""

    def find(self, canvases: Canvases, device: torch.device) -> Iterator[FoundOnCanvas]:
        """Look for things on canvases; see :func:`find`."""
        return find(self.network, canvases, self.manifest.input, device)


def find(network: nn.Module, canvases: Canvases, spec: InputSpec, device: torch.device) -> Iterator[FoundOnCanvas]:
    """Look for things on canvases.

    Parameters
    ----------
    network
        A detector; its mode is as before afterwards.
    canvases
        The images.
    spec
        The preprocessing.
    device
        Where to compute.

    Yields
    ------
    FoundOnCanvas
        For each canvas, in order; a few at a time are in memory.
    """
    network.to(device)
    size = BATCH_ON_GPU if device.type == "cuda" else BATCH
    for start in range(0, len(canvases), size):
        pixels = torch.from_numpy(canvases.take(slice(start, start + size)))
        with torch.inference_mode(), evaluating(network):
            answers = detections(network, to_batch(pixels, spec.mean, spec.std, device))
        for corners, classes, scores in answers:
            yield FoundOnCanvas(corners.numpy(), classes.numpy(), scores.numpy())
