"""A classifier that names an image by its brightness, and folders of small images for it: no network, no training."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from imagine_lib.data import ImageSet, open_dataset
from imagine_lib.data.preprocessing import make_input_spec
from imagine_lib.wire import Architecture, Calibration, ClassEntry, ModelManifest, Provenance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from imagine_lib.data.loading import Canvases

CPU = torch.device("cpu")
STEP = 40
"""Between the brightness of one class and of the next."""


@dataclass
class ByBrightness:
    """Class k is an image of brightness 20 + 40 k; darker and brighter ones are strange to it."""

    labels: list[str]
    manifest: ModelManifest
    asked: int = 0

    def logits(self, canvases: Canvases, device: torch.device) -> np.ndarray:
        self.asked += len(canvases)
        brightness = canvases.take(slice(None)).mean(axis=(1, 2, 3))
        centres = 20 + STEP * np.arange(len(self.labels))
        return (6 - np.abs(brightness[:, None] - centres) / 4).astype(np.float32)


def classifier(
    labels: Sequence[str],
    calibration: Calibration | None = None,
    learned: Sequence[str] = (),
    size: int = 16,
    balance: str = "none",
) -> ByBrightness:
    manifest = ModelManifest(
        architecture=Architecture(builder="resnet18"),
        classes=[ClassEntry(name=label) for label in labels],
        input=make_input_spec(size, "stretch"),
        calibration=calibration,
        provenance=Provenance(ancestral_classes=list(learned), arguments={"balance": balance}),
        files=[],
    )
    return ByBrightness(list(labels), manifest)


def write_images(folder: Path, wanted: Mapping[str, Sequence[float]], samples: int = 12) -> None:
    """Write one image for each brightness, below its class; names begin with a sample, dealt out in turn."""
    rng = np.random.default_rng(0)
    for label, levels in wanted.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for index, level in enumerate(levels):
            pixels = np.clip(level + rng.normal(0, 3, size=(16, 16)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"S{index % samples:02d}_{index:03d}.png")


def open_images(folder: Path, grouped: bool = True) -> ImageSet:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return open_dataset(folder, group=r"(S\d+)_" if grouped else None)


def level(number: float) -> float:
    """Return the brightness of a class."""
    return 20 + STEP * number
