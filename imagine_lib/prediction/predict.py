"""Ask a classifier about many images, a chunk at a time, so that memory stays bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.data.loading import load_canvases
from imagine_lib.prediction.record import Failure, Guess, Prediction, Predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageItem
    from imagine_lib.models.classifier import Classifier

CHUNK_BYTES = 64 * 1024**2
"""Canvases in memory at once: two thousand of 96 pixels a side, one of 4,096."""

TOP = 5
"""Classes kept for each image."""


def predict_items(
    classifier: Classifier,
    items: Sequence[ImageItem],
    threshold: float,
    device: torch.device,
    name: str,
    sha256: str,
) -> Predictions:
    """Predict images in order.

    Parameters
    ----------
    classifier
        The model.
    items
        The images.
    threshold
        Probability below which an answer is marked ``below_threshold``.
    device
        Where to compute.
    name, sha256
        How the answers name the model.

    Returns
    -------
    Predictions
        Unreadable images are in ``errors``; all others have their answer.
    """
    answers: list[Prediction] = []
    failures: list[Failure] = []
    paths = []
    size = classifier.manifest.input.size
    step = max(1, CHUNK_BYTES // (size * size * 3))
    for start in range(0, len(items), step):
        chunk = items[start : start + step]
        loaded = load_canvases(chunk, classifier.manifest.input)
        table = classifier.probabilities(loaded.canvases, device)
        answers += [_answer(classifier, chunk[i], row, threshold) for i, row in zip(loaded.kept, table, strict=True)]
        paths += [chunk[index].path for index in loaded.kept]
        failures += [Failure(chunk[index].name, message) for index, message in sorted(loaded.errors.items())]
    status = classifier.manifest.status
    return Predictions(name, sha256, status, tuple(answers), tuple(failures), tuple(paths))


def _answer(classifier: Classifier, item: ImageItem, row: NDArray[np.float32], threshold: float) -> Prediction:
    classes = classifier.manifest.classes
    order = np.argsort(-row, kind="stable")[:TOP]
    top = tuple(Guess(classes[i].name, round(float(row[i]), 6), classes[i].aphia_id) for i in order)
    status = "accepted" if top[0].probability >= threshold else "below_threshold"
    return Prediction(item.name, item.group, status, top)  # type: ignore[arg-type]
