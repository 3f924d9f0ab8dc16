"""Ask a detector or a segmenter about many images: what is on each, in its own pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.data.loading import decode_canvases
from imagine_lib.data.preprocessing import place
from imagine_lib.data.regions import regions
from imagine_lib.data.targets import boxes_in_image
from imagine_lib.models.detector import Detector
from imagine_lib.prediction.answering import answer_images, failures, identities
from imagine_lib.prediction.columns import from_columns, to_columns
from imagine_lib.prediction.record import Found, Prediction, Predictions
from imagine_lib.prediction.rule import require_probability
from imagine_lib.prediction.streaming import Chunk

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    import torch

    from imagine_lib.data.imageset import ImageItem, ImageSet
    from imagine_lib.data.loading import Canvases, Loaded, Progress
    from imagine_lib.data.preprocessing import Placement
    from imagine_lib.models.package import ModelPackage
    from imagine_lib.models.segmenter import Segmenter

THRESHOLD = 0.5
"""A box of which a detector is less sure is not told: something else would then be about as likely."""

CHUNK = 64
"""Images that are decoded, answered and kept together: a few seconds of work are lost when it breaks."""

BACKGROUND = frozenset({"background", "_background_", "class 0", "nothing", "void"})
"""What class 0 of masks is called, in small letters, where it stands for the absence of things."""


def predict_objects(
    name: str,
    package: ModelPackage,
    model: Detector | Segmenter,
    data: ImageSet,
    device: torch.device,
    threshold: float | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Predictions:
    """Find what is on images, in order.

    Parameters
    ----------
    name
        How the answers name the model.
    package, model
        A detector, or a segmenter: then each patch of one class is an object, the background excepted.
    data
        The images.
    device
        Where to compute.
    threshold
        The least probability of what is told; by default ``THRESHOLD`` for boxes and 0 for patches, whose pixels are
        most probably of their class anyway.
    folder
        Where answers are kept while they are made; None keeps nothing.
    progress
        Called with the number of images done and of all; by default it is shown.

    Returns
    -------
    Predictions
        Unreadable images are in ``errors``. All that was found is in memory: about 400 bytes a box, and for a mask
        as much as its run lengths, but of the decoded images only those of three chunks.

    Raises
    ------
    UsageError
        The threshold is no probability, or the folder keeps the answers of another model, to other images or at
        another threshold.
    StorageError
        The folder cannot be written.
    Interrupted
        The user stopped it.
    """
    require_probability(threshold)
    asker = _Asker(model, device, threshold)
    arrays, errors = answer_images(asker, data.items, name, package, folder, progress)
    manifest = model.manifest
    sizes = [(width, height) for width, height in arrays["sizes"].tolist()]
    on_images = from_columns(arrays, sizes, manifest.classes)
    found = [
        Prediction(
            image=item.name,
            sample=item.sample or item.group or None,
            status="accepted",
            found=things,
            size=size,
            sha256=bytes(digest).hex(),
            facts=item.facts,
            content=item.content,
        )
        for item, things, size, digest in zip(
            (data.items[position] for position in arrays["kept"].tolist()),
            on_images,
            sizes,
            arrays["hashes"],
            strict=True,
        )
    ]
    return Predictions(
        name,
        package.sha256,
        manifest.status,
        found,
        failures(data.items, errors),
        task=manifest.task,
        samples=data.samples,
    )


class _Asker:
    """A detector or a segmenter as it is asked: what is found improbable is left out."""

    def __init__(self, model: Detector | Segmenter, device: torch.device, threshold: float | None) -> None:
        usual = THRESHOLD if isinstance(model, Detector) else 0.0
        self.threshold = usual if threshold is None else threshold
        self.spec, self.most = model.manifest.input, CHUNK
        self._model, self._device = model, device

    def read(self, items: Sequence[ImageItem]) -> Loaded:
        """Decode images."""
        return decode_canvases(items, self.spec)

    def ask(self, read: Loaded, told: Callable[[int], None]) -> Chunk:
        """Find what is on images."""
        found = []
        for things in _found_on(self._model, read.canvases, read.sizes, self._device):
            found.append([thing for thing in things if thing.probability >= self.threshold])
            told(len(found))
        sizes = np.array(read.sizes, np.int64).reshape(-1, 2)
        columns = to_columns(found, self._model.manifest.classes)
        return Chunk({**identities(read), "sizes": sizes, **columns}, read.errors)


def _found_on(
    model: Detector | Segmenter, canvases: Canvases, sizes: Sequence[tuple[int, int]], device: torch.device
) -> Iterator[list[Found]]:
    """Return what is on each image, surest first."""
    places = [place(*size, model.manifest.input) for size in sizes]
    things = (
        _boxes(model, canvases, sizes, places, device)
        if isinstance(model, Detector)
        else _patches(model, canvases, sizes, places, device)
    )
    for found in things:
        yield sorted(found, key=lambda thing: -thing.probability)


def _boxes(
    model: Detector,
    canvases: Canvases,
    sizes: Sequence[tuple[int, int]],
    places: Sequence[Placement],
    device: torch.device,
) -> Iterator[list[Found]]:
    classes = model.manifest.classes
    for one, size, where in zip(model.find(canvases, device), sizes, places, strict=True):
        boxes = boxes_in_image(one.corners, *size, where).round(2).tolist()
        yield [
            Found(
                classes[number].name, round(score, 6), classes[number].aphia_id, (x, y, width, height), width * height
            )
            for (x, y, width, height), number, score in zip(
                boxes, one.classes.tolist(), one.scores.tolist(), strict=True
            )
            if width and height  # the others lie beside the image, on what fills its canvas
        ]


def _patches(
    model: Segmenter,
    canvases: Canvases,
    sizes: Sequence[tuple[int, int]],
    places: Sequence[Placement],
    device: torch.device,
) -> Iterator[list[Found]]:
    classes = model.manifest.classes
    nothing = [0] if classes[0].name.lower() in BACKGROUND else []
    for one, size, where in zip(model.colour(canvases, device), sizes, places, strict=True):
        yield [
            Found(
                classes[patch.number].name,
                round(patch.probability, 6),
                classes[patch.number].aphia_id,
                patch.box,
                patch.area,
                patch.outline,
            )
            for patch in regions(one.classes, one.probabilities, nothing, *size, where)
        ]
