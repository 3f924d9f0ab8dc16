"""Ask a classifier about many images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imagine_lib.data.loading import decode_canvases
from imagine_lib.evaluation.calibration import calibrate
from imagine_lib.evaluation.unknowns import energy
from imagine_lib.models.asking import BATCH, logits
from imagine_lib.models.calibration import read_calibration
from imagine_lib.models.folding import fold
from imagine_lib.prediction.answering import answer_images, failures, identities
from imagine_lib.prediction.answers import ClassAnswers
from imagine_lib.prediction.record import Predictions
from imagine_lib.prediction.rule import rule_of
from imagine_lib.prediction.streaming import Chunk

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
        The threshold is no probability, or the folder keeps the answers of another model or to other images.
    StorageError
        The folder cannot be written.
    Interrupted
        The user stopped it.
    """
    rule = rule_of(classifier.manifest, threshold)
    asker = _Asker(classifier, device, is_long=len(data) > CHUNK)
    arrays, errors = answer_images(asker, data.items, name, package, folder, progress)
    answers = ClassAnswers(
        images=tuple(data.items[position] for position in arrays["kept"].tolist()),
        hashes=arrays["hashes"],
        probabilities=arrays["probabilities"],
        energies=arrays["energies"],
        rule=rule,
        temperature=asker.temperature,
        calibration=read_calibration(package),
    )
    return Predictions(
        name,
        package.sha256,
        classifier.manifest.status,
        answers,
        failures(data.items, errors),
        samples=data.samples,
        notes=(rule.note,) if rule.note else (),
    )


class _Asker:
    """A network as it is asked: with its temperature, and folded where there is enough to do for it to pay."""

    threshold = None

    def __init__(self, classifier: Classifier, device: torch.device, is_long: bool) -> None:
        calibration = classifier.manifest.calibration
        self.temperature = calibration.temperature if calibration is not None else 1.0
        self.spec, self.most = classifier.manifest.input, CHUNK
        self._network = fold(classifier.network, self.spec.size) if is_long else classifier.network
        self._device = device

    def read(self, items: Sequence[ImageItem]) -> Loaded:
        """Decode images."""
        return decode_canvases(items, self.spec)

    def ask(self, read: Loaded, told: Callable[[int], None]) -> Chunk:
        """Answer images."""
        answers = logits(self._network, read.canvases, self.spec, self._device, told).numpy()
        arrays: dict[str, NDArray[Any]] = {
            **identities(read),
            "probabilities": calibrate(answers, self.temperature).astype(np.float32),
            "energies": energy(answers),
        }
        return Chunk(arrays, read.errors)
