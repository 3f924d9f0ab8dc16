"""Batches of canvases on the device: a set that fits lives there, a larger one streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from imagine_lib.models.network import to_batch

if TYPE_CHECKING:
    from imagine_lib.data.loading import Canvases
    from imagine_lib.wire import InputSpec

SHARE = 0.3
"""Of a GPU's free memory that the images may take; the training wants the rest."""


class Feed:
    """Canvases, brought to the device when they are asked for or once for all.

    Parameters
    ----------
    canvases
        The images.
    spec
        Their preprocessing.
    device
        Where to compute.
    """

    def __init__(self, canvases: Canvases, spec: InputSpec, device: torch.device) -> None:
        self._canvases, self._spec, self._device = canvases, spec, device
        self._resident = None
        if device.type == "cuda" and _bytes(canvases) < SHARE * torch.cuda.mem_get_info(device)[0]:
            self._resident = torch.from_numpy(canvases.take(slice(None))).to(device)

    def canvases(self, positions: torch.Tensor) -> torch.Tensor:
        """Return images on the device; uint8, shape (n, size, size, channels)."""
        if self._resident is not None:
            return self._resident[positions.to(self._device)]
        return torch.from_numpy(self._canvases.take(positions.numpy())).to(self._device, non_blocking=True)

    def batch(self, positions: torch.Tensor) -> torch.Tensor:
        """Return images, normalised; float32, shape (n, 3, size, size), channels last in memory."""
        return to_batch(self.canvases(positions), self._spec.mean, self._spec.std, self._device)


def _bytes(canvases: Canvases) -> int:
    return len(canvases) * canvases.pixels[:1].nbytes
