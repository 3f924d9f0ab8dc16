"""Random changes to a whole batch at once, on its device.

What may change is what says nothing about the taxon: which way up it lay, where, how bright the lamp was. Its size
may only change a little, because size tells taxa apart.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

SHIFT = 0.06
ZOOM = 0.08
BRIGHTNESS = 0.2
CONTRAST = 0.2


def augment(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Change each image of a batch at random.

    Parameters
    ----------
    batch
        Normalised images, shape (n, channels, size, size).
    generator
        On the CPU, so that every device sees the same changes.

    Returns
    -------
    torch.Tensor
        The same shape.
    """
    count, device = len(batch), batch.device
    random = torch.rand(count, 7, generator=generator)
    grid = functional.affine_grid(_matrices(random).to(device), list(batch.shape), align_corners=False)
    moved = functional.grid_sample(batch, grid, padding_mode="border", align_corners=False)
    shades = random[:, 4:6].to(device) * 2 - 1
    gain, offset = 1 + CONTRAST * shades[:, 0], BRIGHTNESS * shades[:, 1]
    return moved * gain.view(-1, 1, 1, 1) + offset.view(-1, 1, 1, 1)


def _matrices(random: torch.Tensor) -> torch.Tensor:
    """Return 2 x 3 matrices: any turn, a mirror for half of the images, a small zoom and shift."""
    angle = random[:, 0] * 2 * math.pi
    zoom = 1 + ZOOM * (random[:, 1] * 2 - 1)
    mirror = torch.where(random[:, 6] < 0.5, 1.0, -1.0)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    shift = SHIFT * (random[:, 2:4] * 2 - 1)
    top = torch.stack([cos * mirror, -sin, shift[:, 0]], dim=1)
    bottom = torch.stack([sin * mirror, cos, shift[:, 1]], dim=1)
    return torch.stack([top, bottom], dim=1)
