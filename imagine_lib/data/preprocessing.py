"""From an image of any size to the square canvas that a network sees.

Everything that decides the tensor is in ``InputSpec`` and hashed there, so that a model meets at prediction exactly
what it met in training.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from imagine_lib.errors import DataError
from imagine_lib.wire import InputSpec, Resize

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

FINEST = 1e-4
"""The least common scale, which is kept with four digits."""


def make_input_spec(
    size: int,
    resize: Resize,
    longer_sides: Sequence[int] = (),
    value_range: tuple[float, float] | None = None,
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
    value_range
        The values that become black and white, for images of more than eight bits: one range for the whole set, so
        that a faint image stays faint.

    Returns
    -------
    InputSpec
    """
    scale = None
    if resize == "scale":
        scale = max(FINEST, round(size / float(np.quantile(np.asarray(longer_sides), COVERED)), 4))
    common = {"size": size, "resize": resize, "mean": MEAN, "std": STD}
    spec = InputSpec(**common, scale=scale, value_range=value_range, hash="0" * 64)
    return spec.model_copy(update={"hash": preprocessing_hash(spec)})


def preprocessing_hash(spec: InputSpec) -> str:
    """Return the hash of everything that decides a tensor, the code's own revision among it."""
    facts = spec.model_dump(exclude={"hash"}) | {"revision": REVISION}
    if spec.value_range is None:
        del facts["value_range"]  # images of eight bits have none, and their tensors are those of before
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an image lies on its canvas, in canvas pixels from its top left corner."""

    left: int
    top: int
    width: int
    height: int
    """Of what the image covers."""
    across: float
    down: float
    """Canvas pixels per image pixel; whole pixels are covered, so the two may differ a little."""

    @property
    def rows(self) -> slice:
        """The rows of the canvas that the image covers."""
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        """The columns of the canvas that the image covers."""
        return slice(self.left, self.left + self.width)


def place(width: int, height: int, spec: InputSpec) -> Placement:
    """Decide where an image of some pixels lies on its canvas.

    Parameters
    ----------
    width, height
        Of the image, in pixels.
    spec
        The model's preprocessing.

    Returns
    -------
    Placement
        What :func:`to_canvas` does with the image's pixels.
    """
    if spec.resize == "stretch":
        return Placement(0, 0, spec.size, spec.size, spec.size / width, spec.size / height)
    fit = spec.size / max(height, width)
    factor = fit if spec.scale is None else min(spec.scale, fit)
    across, down = max(1, round(width * factor)), max(1, round(height * factor))
    left, top = (spec.size - across) // 2, (spec.size - down) // 2
    return Placement(left, top, across, down, across / width, down / height)


def to_canvas(pixels: NDArray[Any], spec: InputSpec) -> NDArray[np.uint8]:
    """Bring an image to the size that the network takes.

    Parameters
    ----------
    pixels
        Shape (height, width, channels), of any depth.
    spec
        The model's preprocessing.

    Returns
    -------
    numpy.ndarray
        Shape (size, size, channels), uint8. What the image does not cover has the colour of its border.

    Raises
    ------
    DataError
        The image holds floating-point values and the model has no range for them.
    """
    pixels = _to_eight_bits(pixels, spec.value_range)
    where = place(pixels.shape[1], pixels.shape[0], spec)
    image = _resized(pixels, where.width, where.height)
    if image.shape[:2] == (spec.size, spec.size):
        return image
    canvas = np.empty((spec.size, spec.size, image.shape[2]), dtype=np.uint8)
    canvas[:] = _border_colour(pixels)
    canvas[where.rows, where.columns] = image
    return canvas


def _to_eight_bits(pixels: NDArray[Any], value_range: tuple[float, float] | None) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    if value_range is None and pixels.dtype != np.uint16:
        raise DataError("holds floating-point values, for which the model has no range: convert it to 8 or 16 bits.")
    low, high = value_range or (0, np.iinfo(np.uint16).max)
    scaled: NDArray[np.uint8] = np.clip((pixels.astype(np.float32) - low) * (255 / (high - low)), 0, 255).astype(
        np.uint8
    )
    return scaled


def _resized(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if pixels.shape[:2] == (height, width):
        return pixels
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    resized: NDArray[np.uint8] = np.asarray(
        image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    )
    return resized.reshape(height, width, -1)


def _border_colour(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colour: NDArray[np.uint8] = np.median(border, axis=0).astype(np.uint8)
    return colour
