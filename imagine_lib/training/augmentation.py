"""Random changes to a whole batch at once, on its device.

What may change is what says nothing about the taxon: which way up it lay, where, how bright the lamp was. Its size
may only change a little, because size tells taxa apart.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagine_lib.wire import InputSpec

SHIFT = 0.06
ZOOM = 0.08
BRIGHTNESS = 0.2
CONTRAST = 0.2


FACTS = 7
"""Random numbers that the changes of one image take."""

FLIP_FACTS = 4
"""The same where boxes or masks follow: two say how it is mirrored, two how bright it is."""


def augment(canvases: torch.Tensor, random: torch.Tensor, spec: InputSpec) -> torch.Tensor:
    """Change each image of a batch, and normalise it.

    Parameters
    ----------
    canvases
        uint8, shape (n, size, size, channels); grey ones are moved before they are given to all three channels.
    random
        What each is changed by: numbers in 0..1, shape (n, ``FACTS``), on the CPU, so that all devices see the same.
    spec
        Mean and deviation of the channels.

    Returns
    -------
    torch.Tensor
        float32, shape (n, 3, size, size), channels last in memory.
    """
    device = canvases.device
    grid = _grid(_matrices(random).to(device), canvases.shape[1])
    images = canvases.permute(0, 3, 1, 2).float()
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    gain, offset = _shades(random[:, 4:6].to(device))
    mean, std = torch.tensor(spec.mean, device=device), torch.tensor(spec.std, device=device)
    scale, shift = gain / (255 * std), offset - gain * mean / std
    changed = moved * scale[..., None, None] + shift[..., None, None]
    return changed.contiguous(memory_format=torch.channels_last)


def shade(batch: torch.Tensor, random: torch.Tensor) -> torch.Tensor:
    """Change contrast and brightness of each image.

    Parameters
    ----------
    batch
        Normalised images, shape (n, channels, size, size); changed in place.
    random
        Numbers in 0..1, shape (n, 2).
    """
    gain, offset = _shades(random.to(batch.device))
    return batch.mul_(gain[..., None, None]).add_(offset[..., None, None])


def _shades(random: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what normalised images are multiplied by and what is added to them; each of shape (n, 1)."""
    shades = random * 2 - 1
    return 1 + CONTRAST * shades[:, :1], BRIGHTNESS * shades[:, 1:]


def flips_of(random: torch.Tensor) -> torch.Tensor:
    """Return which images are mirrored: left to right, and top to bottom; bool, shape (n, 2).

    ``random`` holds numbers in 0..1, shape (n, ``FLIP_FACTS``); the rest of each row is for :func:`shade`.
    """
    return random[:, :2] < 0.5


def flip_images(batch: torch.Tensor, flips: torch.Tensor) -> torch.Tensor:
    """Mirror images, or masks.

    Parameters
    ----------
    batch
        Shape (n, size, size) or (n, size, size, channels).
    flips
        As from :func:`flips_of`.
    """
    for column, side in ((0, 2), (1, 1)):
        chosen = flips[:, column].to(batch.device).view(-1, *[1] * (batch.ndim - 1))
        batch = torch.where(chosen, batch.flip(side), batch)
    return batch


def flip_boxes(corners: torch.Tensor, flips: Sequence[bool], size: int) -> torch.Tensor:
    """Mirror the boxes of one image as :func:`flip_images` mirrors its canvas.

    Parameters
    ----------
    corners
        Shape (boxes, 4): left, top, right, bottom, in canvas pixels.
    flips
        Whether left to right, and whether top to bottom.
    size
        Side of the canvas, in pixels.
    """
    left, top, right, bottom = corners.unbind(dim=1)
    if flips[0]:
        left, right = size - right, size - left
    if flips[1]:
        top, bottom = size - bottom, size - top
    return torch.stack([left, top, right, bottom], dim=1)


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


def _grid(matrices: torch.Tensor, size: int) -> torch.Tensor:
    """Return where each pixel comes from, as ``affine_grid`` does in ten times the time; shape (n, size, size, 2)."""
    places = torch.arange(size, device=matrices.device).mul(2).add(1).div(size).sub(1)
    across = places.view(1, 1, -1, 1) * matrices[:, None, None, :, 0]
    down = places.view(1, -1, 1, 1) * matrices[:, None, None, :, 1]
    return across + (down + matrices[:, None, None, :, 2])
