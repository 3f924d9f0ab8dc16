"""A real network of random weights in a real package, whose answers differ from image to image, and small images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from imagine_lib.api import load
from imagine_lib.data.loading import decode_canvases
from imagine_lib.data.opening import open_images
from imagine_lib.data.preprocessing import make_input_spec
from imagine_lib.models.asking import logits
from imagine_lib.models.calibration import CALIBRATION, CalibrationImages
from imagine_lib.models.classifier import Classifier
from imagine_lib.models.families import task_of
from imagine_lib.models.loading import KINDS
from imagine_lib.models.network import build_network, last_linear, to_batch
from imagine_lib.wire import Architecture, Calibration, ClassEntry, ModelManifest, ModelStatus

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from imagine_lib.model import Model
    from imagine_lib.prediction.record import Predictions

CLASSES = (
    ClassEntry(name="Ceratium", aphia_id=109506),
    ClassEntry(name="Noctiluca"),
    ClassEntry(name="Tripos", aphia_id=494057),
)

CPU = torch.device("cpu")


def draw_images(folder: Path, count: int, seed: int = 0, side: int = 24, suffix: str = ".png") -> list[Path]:
    """Blots on grey, each another one."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    paths = []
    for number in range(count):
        coarse = rng.integers(0, 255, (4, 4, 3), np.uint8)
        path = folder / f"{number:05}{suffix}"
        Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(path)
        paths.append(path)
    return paths


def make_model(
    folder: Path,
    calibration: Calibration | None = None,
    answers: CalibrationImages | None = None,
    builder: str = "mobilenet_v3_small",
    size: int = 32,
    status: ModelStatus = ModelStatus.RELEASED,
    seed: int = 0,
) -> Model:
    torch.manual_seed(seed)
    architecture = Architecture(builder=builder)
    network = build_network(architecture, len(CLASSES))
    spec = make_input_spec(size, "pad")
    _make_it_answer(network, size, seed)
    manifest = ModelManifest(
        architecture=architecture, classes=list(CLASSES), input=spec, calibration=calibration, status=status, files=[]
    )
    files = {} if answers is None else {CALIBRATION: answers.to_bytes()}
    package = Classifier(network, manifest).save(folder, "# A test\n", frozenset(), files)
    return load(package.folder, name="test-model", device="cpu")


def make_finder(folder: Path, builder: str = "ssdlite320_mobilenet_v3_large", size: int = 64) -> Model:
    """A detector or a segmenter of random weights: it is sure of nothing, and finds something everywhere."""
    torch.manual_seed(0)
    kind = KINDS[task_of(builder)]
    manifest = ModelManifest(
        task=task_of(builder),
        architecture=Architecture(builder=builder),
        classes=list(CLASSES),
        input=make_input_spec(size, "pad"),
        files=[],
    )
    package = kind(build_network(manifest.architecture, len(CLASSES)), manifest).save(
        folder, "# A test\n", frozenset()
    )
    return load(package.folder, name="test-finder", device="cpu")


def _make_it_answer(network: torch.nn.Module, size: int, seed: int) -> None:
    """Give batch normalisation the statistics of blots, and the answers a spread of 3."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(0, 255, (512, 3, 4, 4), generator=generator, dtype=torch.uint8).float()
    blots = torch.nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 255).byte().permute(0, 2, 3, 1)
    batch = to_batch(blots, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225], CPU)
    network.train()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the mean over all batches, from the first on
    with torch.no_grad():
        network(batch)
        network.eval()
        found = network(batch)
        layer = last_linear(network)[2]
        layer.weight *= 3 / found.std(dim=0)[:, None]
        layer.bias *= 0
        layer.bias -= network(batch).mean(dim=0)


def plain_answers(model: Model, paths: list[Path]) -> NDArray[np.float64]:
    """Logits of the network as it was saved, asked all at once."""
    items = open_images(paths).items
    classifier = model.network
    canvases = decode_canvases(items, classifier.manifest.input).canvases
    return logits(classifier.network, canvases, classifier.manifest.input, CPU).numpy().astype(float)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def probabilities(predictions: Predictions) -> NDArray[np.float32]:
    return predictions.items.probabilities  # type: ignore[attr-defined]
