"""Draws plankton-like images, so that everything works offline and can be tested: seeded, and of no living thing.

A drawing has the look of a flow microscope's: a bright uneven field, a darker body with inner structure and a soft
edge, sensor noise. Images of one sample share a lamp, a focus and a scale, as real ones do.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Random = np.random.Generator
    Canvas = ImageDraw.ImageDraw

DRAWN = "synthetic-"
"""What the names of drawn classes begin with, so that nobody takes them for taxa."""

OVERSAMPLED = 3
"""Shapes are drawn this much larger and shrunk: Pillow draws without smooth edges."""

MARGIN = 1.25
"""Side of the picture over the length of the body."""


def draw_image(label: str, seed: int, sample: int = 0) -> Image.Image:
    """Draw one image.

    Parameters
    ----------
    label
        A key of ``SHAPES``.
    seed
        Of everything random in this image.
    sample
        Number of the sample: decides the lamp, the focus and the scale.

    Returns
    -------
    PIL.Image.Image
        Grey; its side follows from the body's length, 40 to 150 pixels.
    """
    rng = np.random.default_rng([seed, sample, sorted(SHAPES).index(label)])
    style = np.random.default_rng([sample, 7])
    length = LENGTHS[label] * style.uniform(0.9, 1.1) * rng.uniform(0.8, 1.25)
    side = round(length * MARGIN)
    body = draw_body(label, rng, side, length).filter(ImageFilter.GaussianBlur(style.uniform(0.3, 1)))
    return Image.fromarray(expose(np.asarray(body, dtype=np.float64) / 255, style, rng))


def draw_body(label: str, rng: Random, side: int, length: float) -> Image.Image:
    """Draw a body, turned at random, on nothing; grey, ``side`` pixels square."""
    mask = Image.new("L", (side * OVERSAMPLED, side * OVERSAMPLED), 0)
    SHAPES[label](ImageDraw.Draw(mask), rng, side * OVERSAMPLED / 2, length * OVERSAMPLED / 2)
    turned = mask.rotate(rng.uniform(0, 360), Image.Resampling.BILINEAR)
    return turned.resize((side, side), Image.Resampling.LANCZOS)


def write_dataset(folder: Path, labels: list[str], each: int, seed: int, samples: range) -> None:
    """Write a folder with one subfolder a class.

    Parameters
    ----------
    folder
        Where; made if it is missing.
    labels
        Keys of ``SHAPES``; a folder is called ``synthetic-LABEL``.
    each
        Images of each class.
    seed
        Of everything random.
    samples
        Numbers of the samples that the images are dealt to; file names begin with ``S03_`` and the like.
    """
    for label in labels:
        target = folder / f"{DRAWN}{label}"
        target.mkdir(parents=True, exist_ok=True)
        for index in range(each):
            sample = samples[index % len(samples)]
            draw_image(label, seed * 1_000_003 + index, sample).save(target / f"S{sample:02d}_{index:04d}.png")


def write_cruise(folder: Path, labels: list[str], count: int, seed: int, samples: range) -> None:
    """Write images of several classes into one folder, without their labels, as a cruise brings them home."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for index in range(count):
        sample = samples[index % len(samples)]
        label = labels[int(rng.integers(len(labels)))]
        draw_image(label, seed * 1_000_003 + index, sample).save(folder / f"S{sample:02d}_{index:04d}.png")


def expose(body: NDArray[np.float64], style: Random, rng: Random) -> NDArray[np.uint8]:
    """Turn drawn bodies, opacities in 0..1 of shape (side, side), into what a camera would have seen."""
    side = body.shape[0]
    rows, columns = np.mgrid[0:side, 0:side] / side - 0.5
    tilt = style.uniform(0, 2 * math.pi)
    lamp = style.uniform(178, 215) + style.uniform(5, 18) * (rows * math.cos(tilt) + columns * math.sin(tilt))
    grain = rng.normal(0, 1, (side, side))
    cells = Image.fromarray(np.clip(128 + 40 * rng.normal(0, 1, (side, side)), 0, 255).astype(np.uint8))
    texture = (np.asarray(cells.filter(ImageFilter.GaussianBlur(1.5)), dtype=np.float64) - 128) / 40
    opacity = rng.uniform(0.5, 0.75) * (1 + 0.8 * texture)
    seen = lamp * (1 - np.clip(body * opacity, 0, 0.92)) + style.uniform(1.5, 4) * grain
    exposed: NDArray[np.uint8] = np.clip(seen, 0, 255).astype(np.uint8)
    return exposed


def _ellipse(draw: Canvas, x: float, y: float, a: float, b: float, fill: int) -> None:
    draw.ellipse((x - a, y - b, x + a, y + b), fill=fill)


def _chain(draw: Canvas, rng: Random, c: float, r: float) -> None:
    cells = int(rng.integers(4, 8))
    step = 2 * r / cells
    for cell in range(cells):
        x = c - r + step * (cell + 0.5)
        y = c + r * 0.08 * math.sin(cell)
        draw.rounded_rectangle((x - step * 0.44, y - r * 0.2, x + step * 0.44, y + r * 0.2), step * 0.2, fill=200)
        _ellipse(draw, x, y, step * 0.16, r * 0.08, 255)


def _disc(draw: Canvas, rng: Random, c: float, r: float) -> None:
    _ellipse(draw, c, c, r, r, 210)
    _ellipse(draw, c, c, r * 0.86, r * 0.86, 120)
    rays = int(rng.integers(14, 26))
    for ray in range(rays):
        angle = 2 * math.pi * ray / rays
        inner, outer = r * 0.25, r * 0.85
        ends = (c + inner * math.cos(angle), c + inner * math.sin(angle))
        draw.line(
            (*ends, c + outer * math.cos(angle), c + outer * math.sin(angle)), fill=185, width=max(2, int(r / 40))
        )


def _rod(draw: Canvas, rng: Random, c: float, r: float) -> None:
    width = r * rng.uniform(0.14, 0.22)
    draw.polygon([(c - r, c), (c - r * 0.6, c - width), (c + r * 0.6, c - width), (c + r, c),
                  (c + r * 0.6, c + width), (c - r * 0.6, c + width)], fill=190)  # fmt: skip
    draw.line((c - r * 0.9, c, c + r * 0.9, c), fill=255, width=max(2, int(r / 30)))
    for stria in np.linspace(-0.55, 0.55, 18):
        draw.line((c + stria * r, c - width, c + stria * r, c + width), fill=150, width=1)


def _star(draw: Canvas, rng: Random, c: float, r: float) -> None:
    arms = int(rng.integers(5, 9))
    for arm in range(arms):
        angle = 2 * math.pi * arm / arms + rng.normal(0, 0.06)
        x, y = c + r * math.cos(angle), c + r * math.sin(angle)
        draw.line((c, c, x, y), fill=220, width=max(3, int(r * 0.1)))
        _ellipse(draw, x * 0.97 + c * 0.03, y * 0.97 + c * 0.03, r * 0.09, r * 0.09, 240)


def _spiral(draw: Canvas, rng: Random, c: float, r: float) -> None:
    turns = rng.uniform(2.2, 3.4)
    points = []
    for t in np.linspace(0.08, 1, 120):
        angle = 2 * math.pi * turns * t
        points.append((c + r * t * math.cos(angle), c + r * t * math.sin(angle)))
    draw.line(points, fill=225, width=max(4, int(r * 0.12)), joint="curve")


def _horn(draw: Canvas, rng: Random, c: float, r: float) -> None:
    _ellipse(draw, c, c, r * 0.3, r * 0.28, 220)
    bend = rng.uniform(0.25, 0.5)
    tips = [(c, c - r), (c - r * bend, c + r * 0.75), (c + r * bend * 0.8, c + r * 0.6)]
    for x, y in tips:
        draw.polygon([(c - r * 0.13, c), (c + r * 0.13, c), (x, y)], fill=200)
    draw.line((c - r * 0.3, c, c + r * 0.3, c), fill=255, width=max(3, int(r * 0.06)))


def _crescent(draw: Canvas, rng: Random, c: float, r: float) -> None:
    _ellipse(draw, c, c, r * 0.95, r * 0.95, 215)
    _ellipse(draw, c + r * rng.uniform(0.3, 0.42), c, r * 0.9, r * 0.82, 0)
    for x in np.linspace(-0.75, -0.2, 4):
        _ellipse(draw, c + x * r - r * 0.1, c + rng.normal(0, 0.1) * r, r * 0.05, r * 0.05, 255)


def _cluster(draw: Canvas, rng: Random, c: float, r: float) -> None:
    for _ in range(int(rng.integers(14, 24))):
        angle, distance = rng.uniform(0, 2 * math.pi), r * 0.75 * math.sqrt(rng.uniform())
        size = r * rng.uniform(0.14, 0.22)
        x, y = c + distance * math.cos(angle), c + distance * math.sin(angle)
        _ellipse(draw, x, y, size, size, int(rng.integers(150, 235)))
        _ellipse(draw, x, y, size * 0.4, size * 0.4, 255)


def _comb(draw: Canvas, rng: Random, c: float, r: float) -> None:
    rods = int(rng.integers(9, 15))
    for rod in range(rods):
        x = c - r + 2 * r * (rod + 0.5) / rods
        height = r * (0.55 + 0.08 * rng.normal())
        draw.line((x, c - height, x, c + height), fill=200, width=max(3, int(1.4 * r / rods)))
    draw.line((c - r, c, c + r, c), fill=255, width=max(3, int(r * 0.08)))


def _bell(draw: Canvas, rng: Random, c: float, r: float) -> None:
    draw.pieslice((c - r * 0.8, c - r, c + r * 0.8, c + r * 0.6), 180, 360, fill=150)
    draw.arc((c - r * 0.8, c - r, c + r * 0.8, c + r * 0.6), 180, 360, fill=235, width=max(3, int(r * 0.06)))
    _ellipse(draw, c, c - r * 0.35, r * 0.2, r * 0.3, 225)
    for x in np.linspace(-0.7, 0.7, int(rng.integers(7, 12))):
        points = [
            (c + x * r + 0.06 * r * math.sin(6 * t + x * 9), c - 0.2 * r + t * r * 1.1) for t in np.linspace(0, 1, 14)
        ]
        draw.line(points, fill=170, width=max(2, int(r * 0.035)))


def _copepod(draw: Canvas, rng: Random, c: float, r: float) -> None:
    _ellipse(draw, c, c - r * 0.2, r * 0.28, r * 0.55, 215)
    for segment in range(4):
        _ellipse(draw, c, c + r * (0.38 + 0.14 * segment), r * (0.13 - 0.02 * segment), r * 0.09, 195)
    reach = rng.uniform(0.75, 0.95)
    for side in (-1, 1):
        draw.line([(c, c - r * 0.6), (c + side * r * 0.45, c - r * 0.75), (c + side * r * reach, c - r * 0.35)],
                  fill=205, width=max(3, int(r * 0.05)), joint="curve")  # fmt: skip
        draw.line((c, c + r * 0.85, c + side * r * 0.18, c + r), fill=190, width=max(2, int(r * 0.04)))
    _ellipse(draw, c, c - r * 0.62, r * 0.06, r * 0.06, 255)


def _filament(draw: Canvas, rng: Random, c: float, r: float) -> None:
    wave, phase = rng.uniform(1.5, 3.5), rng.uniform(0, 6)
    bend = rng.uniform(0.1, 0.3)
    points = [(c + r * t, c + r * bend * math.sin(wave * t + phase)) for t in np.linspace(-1, 1, 60)]
    draw.line(points, fill=215, width=max(3, int(r * 0.07)), joint="curve")


SHAPES: dict[str, Callable[[Canvas, Random, float, float], None]] = {
    "bell": _bell,
    "chain": _chain,
    "cluster": _cluster,
    "comb": _comb,
    "copepod": _copepod,
    "crescent": _crescent,
    "disc": _disc,
    "filament": _filament,
    "horn": _horn,
    "rod": _rod,
    "spiral": _spiral,
    "star": _star,
}
"""How each shape is drawn: onto a canvas, around a centre, within a radius."""

LENGTHS = {
    "bell": 100, "chain": 95, "cluster": 60, "comb": 75, "copepod": 110, "crescent": 55,
    "disc": 50, "filament": 115, "horn": 85, "rod": 70, "spiral": 65, "star": 80,
}  # fmt: skip
"""Length of the body in pixels, before its own variation: size tells some of them apart."""
