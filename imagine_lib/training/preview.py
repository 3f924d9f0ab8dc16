"""A first model after seconds: the base's features with a new head, while the training goes on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagine_lib.models.classifier import Classifier

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from imagine_lib.training.progress import EventLog
    from imagine_lib.wire import ModelManifest

FOLDER = "preview"

NOTE = "> **Preview.** Only the last layer was trained; the model that the training ends with replaces this one.\n\n"


@dataclass(frozen=True)
class Preview:
    """What a head on old features is worth, on the images to select with."""

    score: float
    confusion: NDArray[np.int64]
    """Shape (classes, classes): rows are the truth, columns the answers."""


def keep_preview(
    preview: Preview, network: nn.Module, manifest: ModelManifest, seen: frozenset[str], folder: Path, log: EventLog
) -> None:
    """Save a preview as a model package beside its run, and tell of it."""
    card = f"# Preview\n\n{NOTE}"
    package = Classifier(network, manifest).save(folder / FOLDER, card, seen)
    labels = [entry.name for entry in manifest.classes]
    log.emit(
        "preview",
        score=preview.score,
        score_name="macro-F1",
        confusion={"labels": labels, "matrix": preview.confusion.tolist()},
        model=str(package.folder),
        text=f"A preview with a new head on the old features has macro-F1 {preview.score:.3f}: {package.folder}",
    )


def remove_preview(folder: Path) -> None:
    """Remove a preview, which the finished model has replaced."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
