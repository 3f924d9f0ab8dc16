"""From an image of any size to the square canvas that a network sees.

Everything that decides the tensor is in ``InputSpec`` and hashed there, so that a model meets at prediction exactly
what it met in training.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from imagine_lib.wire import InputSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

REVISION = 1
"""Changed whenever the same ``InputSpec`` would give other pixels than before."""

MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]
"""Channel means and deviations of ImageNet, which torchvision's weights expect."""

COVERED = 0.95
"""Share of the images that fit on the canvas at the common scale; the few larger ones are shrunk."""


def make_input_spec(
    size: int, resize: Literal["scale", "pad", "stretch"], longer_sides: Sequence[int] = ()
) -> InputSpec:
    """Decide how images become tensors.

    Parameters
    ----------
    size
        Side of the canvas, in pixels.
    resize
        ``scale``: one scale for the whole set, so that size still tells taxa apart; ``pad``: each image fills the
        canvas, its shape kept; ``stretch``: each image fills the canvas, its shape lost.
    longer_sides
        The longer side of each image of the set, in pixels; needed for ``scale``.

    Returns
    -------
    InputSpec
    """
    scale = None
    if resize == "scale":
        scale = round(size / float(np.quantile(np.asarray(longer_sides), COVERED)), 4)
    spec = InputSpec(size=size, resize=resize, scale=scale, mean=MEAN, std=STD, hash="0" * 64)
    return spec.model_copy(update={"hash": preprocessing_hash(spec)})


def preprocessing_hash(spec: InputSpec) -> str:
    """Return the hash of everything that decides a tensor, the code's own revision among it."""
    facts = spec.model_dump(exclude={"hash"}) | {"revision": REVISION}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def to_canvas(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """Bring an image to the size that the network takes.

    Parameters
    ----------
    pixels
        Shape (height, width, 3).
    spec
        The model's preprocessing.

    Returns
    -------
    numpy.ndarray
        Shape (size, size, 3), uint8. What the image does not cover has the colour of its border.
    """
    height, width = pixels.shape[:2]
    if spec.resize == "stretch":
        return _resized(pixels, spec.size, spec.size)
    fit = spec.size / max(height, width)
    factor = fit if spec.scale is None else min(spec.scale, fit)
    image = _resized(pixels, max(1, round(width * factor)), max(1, round(height * factor)))
    canvas = np.empty((spec.size, spec.size, 3), dtype=np.uint8)
    canvas[:] = _border_colour(pixels)
    top, left = (spec.size - image.shape[0]) // 2, (spec.size - image.shape[1]) // 2
    canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
    return canvas


def _resized(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0))


def _border_colour(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colour: NDArray[np.uint8] = np.median(border, axis=0).astype(np.uint8)
    return colour
