"""Ask a classifier about many images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imagine_lib.data.loading import decode_canvases
from imagine_lib.errors import Interrupted
from imagine_lib.evaluation.calibration import calibrate
from imagine_lib.evaluation.unknowns import energy
from imagine_lib.models.asking import BATCH, logits
from imagine_lib.models.calibration import read_calibration
from imagine_lib.models.folding import fold
from imagine_lib.prediction.answers import ClassAnswers
from imagine_lib.prediction.keeping import KeptAnswers
from imagine_lib.prediction.progress import shown
from imagine_lib.prediction.record import Failure, Predictions
from imagine_lib.prediction.rule import rule_of
from imagine_lib.prediction.streaming import Chunk, Forgetful, answer_in_chunks, joined

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    import torch
    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageItem, ImageSet
    from imagine_lib.data.loading import Loaded, Progress
    from imagine_lib.models.classifier import Classifier
    from imagine_lib.models.package import ModelPackage

CHUNK = 4 * BATCH
"""Images that are decoded, answered and kept together: a few seconds of work are lost when it breaks."""

CHUNK_BYTES = 32 * 1024**2
"""Canvases that a chunk may hold: fewer images where they are large."""


def predict_classes(
    name: str,
    package: ModelPackage,
    classifier: Classifier,
    data: ImageSet,
    device: torch.device,
    threshold: float | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Predictions:
    """Name what is on images, in order.

    Parameters
    ----------
    name
        How the answers name the model.
    package, classifier
        The model.
    data
        The images.
    device
        Where to compute.
    threshold
        See :func:`imagine_lib.prediction.rule.rule_of`.
    folder
        Where answers are kept while they are made; None keeps nothing.
    progress
        Called with the number of images done and of all; by default it is shown.

    Returns
    -------
    Predictions
        Unreadable images are in ``errors``; all others have their answer.

    Raises
    ------
    UsageError
        The folder keeps the answers of another model or to other images.
    StorageError
        The folder cannot be written.
    Interrupted
        The user stopped it.
    """
    spec = classifier.manifest.input
    step = max(1, min(CHUNK, CHUNK_BYTES // (spec.size * spec.size * 3)))
    kept = None
    if folder is not None:
        kept = KeptAnswers(Path(folder).expanduser(), data.items, name, package.sha256, spec.hash, step)
        step = kept.step
    asker = _Asker(classifier, device, is_long=len(data) > CHUNK)
    reached = 0

    with shown(progress) as show:

        def tell(done: int, total: int) -> None:
            nonlocal reached
            reached = done
            show(done, total)

        try:
            chunks = answer_in_chunks(data.items, step, asker.read, asker.ask, kept or Forgetful(), tell)
        except KeyboardInterrupt:
            raise Interrupted(_what_is_left(reached, len(data), kept)) from None
    return _assembled(name, package, classifier, data, threshold, chunks or [asker.nothing()], step)


class _Asker:
    """A network as it is asked: with its temperature, and folded where there is enough to do for it to pay."""

    def __init__(self, classifier: Classifier, device: torch.device, is_long: bool) -> None:
        calibration = classifier.manifest.calibration
        self.temperature = calibration.temperature if calibration is not None else 1.0
        self._spec = classifier.manifest.input
        self._classes = len(classifier.manifest.classes)
        self._network = fold(classifier.network, self._spec.size) if is_long else classifier.network
        self._device = device

    def read(self, items: Sequence[ImageItem]) -> Loaded:
        """Decode images."""
        return decode_canvases(items, self._spec)

    def ask(self, loaded: Loaded, told: Callable[[int], None]) -> Chunk:
        """Answer images."""
        answers = logits(self._network, loaded.canvases, self._spec, self._device, told).numpy()
        hashes = np.frombuffer(bytes.fromhex("".join(loaded.hashes)), np.uint8).reshape(-1, 32)
        arrays: dict[str, NDArray[Any]] = {
            "kept": np.asarray(loaded.kept, np.int64),
            "hashes": hashes,
            "probabilities": calibrate(answers, self.temperature).astype(np.float32),
            "energies": energy(answers),
        }
        return Chunk(arrays, loaded.errors)

    def nothing(self) -> Chunk:
        """Return the answers to no image."""
        arrays: dict[str, NDArray[Any]] = {
            "kept": np.empty(0, np.int64),
            "hashes": np.empty((0, 32), np.uint8),
            "probabilities": np.empty((0, self._classes), np.float32),
            "energies": np.empty(0),
        }
        return Chunk(arrays, {})


def _assembled(
    name: str,
    package: ModelPackage,
    classifier: Classifier,
    data: ImageSet,
    threshold: float | None,
    chunks: Sequence[Chunk],
    step: int,
) -> Predictions:
    arrays, errors = joined(chunks, step)
    rule = rule_of(classifier.manifest, threshold)
    calibration = classifier.manifest.calibration
    answers = ClassAnswers(
        images=tuple(data.items[position] for position in arrays["kept"].tolist()),
        hashes=arrays["hashes"],
        probabilities=arrays["probabilities"],
        energies=arrays["energies"],
        rule=rule,
        temperature=calibration.temperature if calibration is not None else 1.0,
        calibration=read_calibration(package),
    )
    failed = [(data.items[position], position, message) for position, message in errors.items()]
    return Predictions(
        name,
        package.sha256,
        classifier.manifest.status,
        answers,
        tuple(
            Failure(item.name, message, position, item.sample or item.group or None)
            for item, position, message in failed
        ),
        samples=data.samples,
        notes=(rule.note,) if rule.note else (),
    )


def _what_is_left(done: int, total: int, kept: KeptAnswers | None) -> str:
    if kept is None:
        return (
            f"the prediction was stopped after {done:,} of {total:,} images, and nothing was kept: "
            "give a folder next time, and it can go on."
        )
    return (
        f"the prediction was stopped with {total - kept.answered:,} of {total:,} images left; the other answers "
        f"are in {kept.folder}: ask again with the same folder to go on."
    )
