"""Images of more than eight bits: one range for the set, kept in the model, used again at prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from imagine_lib.data import open_dataset
from imagine_lib.data.depth import value_range
from imagine_lib.data.loading import decode_canvases
from tests.library.conftest import train_tiny

if TYPE_CHECKING:
    from pathlib import Path


def write_deep(folder: Path, brightest: int, count: int = 8) -> Path:
    """Write 16-bit images of two classes; each has a dark ground, and a rectangle of its own brightness."""
    rng = np.random.default_rng(0)
    for label in ("faint", "bright"):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            pixels = rng.integers(90, 110, (40, 40)).astype(np.uint16)
            top, left, height, width = rng.integers(2, 18, 4)
            pixels[top : top + height + 4, left : left + width + 4] = (
                brightest if label == "bright" else brightest // 4
            )
            Image.fromarray(pixels).save(folder / label / f"{label}{index}.png")
    return folder


def test_the_range_is_of_the_set_and_not_of_an_image(tmp_path: Path) -> None:
    data = open_dataset(write_deep(tmp_path, brightest=4000))
    low, high = value_range(data.items) or (0.0, 0.0)
    assert low == pytest.approx(90, abs=2)
    assert high == 4000


def test_a_single_hot_pixel_does_not_decide(tmp_path: Path) -> None:
    folder = write_deep(tmp_path, brightest=4000)
    file = next((folder / "faint").iterdir())
    pixels = np.asarray(Image.open(file)).copy()
    pixels[0, 0] = 65535
    Image.fromarray(pixels).save(file)
    assert (value_range(open_dataset(folder).items) or (0.0, 0.0))[1] == 4000


def test_a_model_keeps_the_range_and_a_faint_image_stays_faint(tmp_path: Path) -> None:
    data = open_dataset(write_deep(tmp_path / "images", brightest=4000, count=12))
    run = train_tiny(data.split(seed=0), tmp_path / "run", epochs=1)
    spec = run.package.manifest.input
    assert spec.value_range is not None
    assert spec.value_range[1] == 4000
    canvases = decode_canvases(data.items, spec).canvases.take(slice(None))
    peaks = {item.label: canvas.max() for item, canvas in zip(data.items, canvases, strict=True)}
    assert peaks["bright"] == 255
    assert 50 <= peaks["faint"] <= 75


def test_images_of_eight_bits_have_no_range(plankton: Path) -> None:
    assert value_range(open_dataset(plankton).items) is None
