"""Ask a detector or a segmenter about many images: what is on each, in its own pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagine_lib.data.loading import decode_canvases, headers
from imagine_lib.data.preprocessing import place
from imagine_lib.data.regions import regions
from imagine_lib.data.targets import boxes_in_image
from imagine_lib.errors import Interrupted
from imagine_lib.models.detector import Detector
from imagine_lib.prediction.progress import shown
from imagine_lib.prediction.record import Failure, Found, Prediction, Predictions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch

    from imagine_lib.data.imageset import ImageItem, ImageSet
    from imagine_lib.data.loading import Canvases, Progress
    from imagine_lib.data.preprocessing import Placement
    from imagine_lib.models.package import ModelPackage
    from imagine_lib.models.segmenter import Segmenter

THRESHOLD = 0.5
"""A box of which a detector is less sure is not told: something else would then be about as likely."""

CHUNK_BYTES = 32 * 1024**2
"""Canvases that are in memory at a time."""

BACKGROUND = frozenset({"background", "_background_", "class 0", "nothing", "void"})
"""What class 0 of masks is called, in small letters, where it stands for the absence of things."""


def predict_objects(
    name: str,
    package: ModelPackage,
    model: Detector | Segmenter,
    data: ImageSet,
    device: torch.device,
    threshold: float | None = None,
    progress: Progress | None = None,
) -> Predictions:
    """Find what is on images, in order.

    Parameters
    ----------
    name
        How the answers name the model.
    package, model
        The model.
    data
        The images.
    device
        Where to compute.
    threshold
        See :func:`find_objects`.
    progress
        Called with the number of images done and of all; by default it is shown.

    Returns
    -------
    Predictions
        Unreadable images are in ``errors``. All that was found is in memory: about 300 bytes a box, and for a mask
        eight bytes for each run.

    Raises
    ------
    Interrupted
        The user stopped it.
    """
    items: list[Prediction] = []
    errors: list[Failure] = []
    done = 0
    with shown(progress) as show:
        show(0, len(data))
        try:
            for done, answer in enumerate(find_objects(model, data.items, device, threshold), 1):
                if isinstance(answer, Failure):
                    errors.append(answer)
                else:
                    items.append(answer)
                show(done, len(data))
        except KeyboardInterrupt:
            raise Interrupted(
                f"the prediction was stopped after {done:,} of {len(data):,} images and nothing was kept."
            ) from None
    manifest = model.manifest
    return Predictions(
        name, package.sha256, manifest.status, items, tuple(errors), task=manifest.task, samples=data.samples
    )


def find_objects(
    model: Detector | Segmenter, items: Sequence[ImageItem], device: torch.device, threshold: float | None = None
) -> Iterator[Prediction | Failure]:
    """Find what is on images.

    Parameters
    ----------
    model
        A detector, or a segmenter: then each patch of one class is an object, the background excepted.
    items
        The images.
    device
        Where to compute.
    threshold
        The least probability of what is told; by default ``THRESHOLD`` for boxes and 0 for patches, whose pixels are
        most probably of their class anyway.

    Yields
    ------
    Prediction or Failure
        One for each image, in order; memory does not grow with their number.
    """
    spec = model.manifest.input
    if threshold is None:
        threshold = THRESHOLD if isinstance(model, Detector) else 0.0
    step = max(1, CHUNK_BYTES // (spec.size * spec.size * 3))
    for start in range(0, len(items), step):
        chunk = items[start : start + step]
        loaded = decode_canvases(chunk, spec)
        looks = headers([chunk[row] for row in loaded.kept])
        sizes = [(look.width, look.height) if look is not None else (1, 1) for look in looks]
        answers = zip(sizes, loaded.hashes, _found_on(model, loaded.canvases, sizes, device), strict=True)
        for row, item in enumerate(chunk):
            sample = item.sample or item.group
            if row in loaded.errors:
                yield Failure(item.name, loaded.errors[row], start + row, sample)
                continue
            size, digest, things = next(answers)
            found = tuple(thing for thing in things if thing.probability >= threshold)
            facts: dict[str, Any] = {"size": size, "sha256": digest, "facts": item.facts, "content": item.content}
            yield Prediction(item.name, sample, "accepted", found=found, **facts)


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
