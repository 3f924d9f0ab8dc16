"""The images that are measured with: photographs where they are on this machine, and drawn ones."""

from __future__ import annotations

from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING

from imagine_lib.data.synthetic import draw_image
from imagine_lib.hardware import processors
from tests.benchmarks.hardware import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

BERING = PROJECT.parent / "shared" / "data" / "bering_sea_zooplankton"
SHAPES = ("bell", "chain", "cluster", "comb", "disc", "rod", "spiral", "star")


def has_photographs(benchmark: str) -> bool:
    """Tell whether the photographs are here; say so where they are not."""
    if not BERING.is_dir():
        print(f"{benchmark}: not measured, the images are not on this machine ({BERING.name})")
    return BERING.is_dir()


def photographs(every: int = 1) -> list[Path]:
    """Return the photographs, or each so manieth of them, in sorted order."""
    return sorted(BERING.glob("*/*.jpg"))[::every]


def draw_folder(folder: Path, count: int, side: int) -> list[Path]:
    """Draw images of one size into class folders."""
    for shape in SHAPES:
        (folder / shape).mkdir(parents=True, exist_ok=True)
    with get_context("spawn").Pool(processors()) as pool:
        return pool.map(partial(_draw, folder, side), range(count), chunksize=64)


def _draw(folder: Path, side: int, number: int) -> Path:
    shape = SHAPES[number % len(SHAPES)]
    path = folder / shape / f"{number:06}.jpg"
    draw_image(shape, number).convert("RGB").resize((side, side)).save(path, quality=90)
    return path
