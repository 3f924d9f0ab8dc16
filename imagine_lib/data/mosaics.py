"""Draws images with several bodies on each, and writes where they are: to try detection and segmentation with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from imagine_lib.data.synthetic import DRAWN, LENGTHS, MARGIN, draw_body, expose

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import NDArray

BACKGROUND = "background"

SOLID = 0.25
"""From this opacity on a pixel belongs to a body."""

ATTEMPTS = 30
"""Places that are tried for a body before it is left out."""


@dataclass(frozen=True)
class Mosaic:
    """An image and what is on it."""

    pixels: NDArray[np.uint8]
    """Grey, shape (height, width)."""
    boxes: list[tuple[str, int, int, int, int]]
    """Kind, x, y, width and height of each body, in pixels; no two bodies touch."""
    mask: NDArray[np.uint8]
    """Shape (height, width): 0 where no body is, else 1 and the place of its kind in sorted order."""


def draw_mosaic(
    kinds: Sequence[str], seed: int, size: tuple[int, int] = (160, 120), bodies: int = 3, sample: int = 0
) -> Mosaic:
    """Draw bodies of some kinds on one image.

    Parameters
    ----------
    kinds
        Keys of :data:`imagine_lib.data.synthetic.SHAPES`.
    seed
        Of everything random in this image.
    size
        Width and height, in pixels.
    bodies
        How many bodies at most; their number is random, and 0 among what it can be.
    sample
        Number of the sample: decides the lamp.

    Returns
    -------
    Mosaic
        The bodies are a fifth to two fifths as long as the shorter side.
    """
    rng, style = np.random.default_rng([seed, sample, 3]), np.random.default_rng([sample, 7])
    width, height = size
    opacity = np.zeros((height, width))
    mask, boxes = np.zeros((height, width), np.uint8), []
    longest = max(LENGTHS[kind] for kind in kinds)
    for _ in range(int(rng.integers(bodies + 1))):
        kind = kinds[int(rng.integers(len(kinds)))]
        length = (0.2 + 0.2 * LENGTHS[kind] / longest) * min(size) * rng.uniform(0.85, 1.0)
        side = round(length * MARGIN)
        body = np.asarray(draw_body(kind, rng, side, length), np.float64) / 255
        corner = _free_corner(rng, mask, side)
        if corner is None:
            continue
        x, y = corner
        opacity[y : y + side, x : x + side] = body
        solid = body > SOLID
        mask[y : y + side, x : x + side][solid] = 1 + sorted(kinds).index(kind)
        rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
        left, top = int(x + columns[0]), int(y + rows[0])
        boxes.append((kind, left, top, int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1))
    square = np.zeros((max(size), max(size)))
    square[:height, :width] = opacity
    return Mosaic(expose(square, style, rng)[:height, :width], boxes, mask)


def write_mosaics(
    folder: str | os.PathLike[str],
    kinds: Sequence[str],
    count: int,
    seed: int,
    size: tuple[int, int] = (160, 120),
    bodies: int = 3,
    samples: range = range(4),
) -> None:
    """Write a folder of images with several bodies on each, as COCO JSON and as masks.

    Parameters
    ----------
    folder
        Where; made if it is missing. ``open_dataset`` reads it as COCO, and with ``format="masks"`` as masks.
    kinds
        Keys of :data:`imagine_lib.data.synthetic.SHAPES`; a class is called ``synthetic-KIND``.
    count
        How many images.
    seed
        Of everything random.
    size, bodies
        As in :func:`draw_mosaic`.
    samples
        Numbers of the samples that the images are dealt to; file names begin with ``S03_`` and the like.
    """
    folder = Path(folder)
    images, annotations = list[dict[str, Any]](), list[dict[str, Any]]()
    kinds = sorted(kinds)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        sample = samples[index % len(samples)]
        mosaic = draw_mosaic(kinds, seed * 1_000_003 + index, size, bodies, sample)
        name = f"S{sample:02d}_{index:04d}.png"
        Image.fromarray(mosaic.pixels).save(folder / "images" / name)
        Image.fromarray(mosaic.mask).save(folder / "masks" / name)
        images.append({"id": index, "file_name": f"images/{name}", "width": size[0], "height": size[1]})
        for kind, *box in mosaic.boxes:
            number = len(annotations)
            annotations.append({"id": number, "image_id": index, "category_id": kinds.index(kind) + 1, "bbox": box})
    categories = [{"id": number, "name": f"{DRAWN}{kind}"} for number, kind in enumerate(kinds, 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
    names = [BACKGROUND, *(f"{DRAWN}{kind}" for kind in kinds)]
    (folder / "classes.txt").write_text("\n".join(names) + "\n", encoding="utf-8")


def _free_corner(rng: np.random.Generator, mask: NDArray[np.uint8], side: int) -> tuple[int, int] | None:
    """Return the left and upper edge of a free square; None where none is found."""
    height, width = mask.shape
    for _ in range(ATTEMPTS):
        x, y = int(rng.integers(max(1, width - side))), int(rng.integers(max(1, height - side)))
        if not mask[y : y + side, x : x + side].any():
            return x, y
    return None
