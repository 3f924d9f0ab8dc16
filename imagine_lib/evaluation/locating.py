"""Test a detector or a segmenter on images that it has not learned from."""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from imagine_lib.data.images import content_hash
from imagine_lib.data.masks import load_masks
from imagine_lib.data.placed import Placed, read_placed
from imagine_lib.data.preprocessing import Placement
from imagine_lib.data.targets import IGNORED, as_sides, boxes_in_image, boxes_on_canvas
from imagine_lib.errors import DataError
from imagine_lib.evaluation.detection import FoundBoxes, TrueBoxes
from imagine_lib.evaluation.masks import SegmentationEvaluation
from imagine_lib.evaluation.objects import DetectionEvaluation
from imagine_lib.evaluation.segmentation import mask_confusion
from imagine_lib.evaluation.tested import describe_test, nothing_left, require_known_class
from imagine_lib.prediction.progress import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch

    from imagine_lib.data.imageset import Box, ImageSet
    from imagine_lib.data.loading import Progress
    from imagine_lib.models.detector import Detector
    from imagine_lib.models.segmenter import Segmenter

Answer = TypeVar("Answer")


def evaluate_detector(
    detector: Detector,
    data: ImageSet,
    seen: frozenset[str],
    device: torch.device,
    progress: Progress | None = None,
) -> DetectionEvaluation:
    """Look for things on images whose boxes are known, and compare.

    Parameters
    ----------
    detector
        The model.
    data
        Images with boxes. Boxes of classes that the model does not know are left out.
    seen
        Content hashes of the images that the model or an ancestor learned from.
    device
        Where to compute.
    progress
        See :func:`imagine_lib.evaluation.tested.ask`.

    Returns
    -------
    DetectionEvaluation
        Measured in the images' own pixels; at most a hundred boxes an image are in memory.

    Raises
    ------
    DataError
        The model knows none of the classes, or no image is left: none is readable, or it has seen them all.
    """
    usable, numbers = data.labelled, {label: number for number, label in enumerate(detector.labels)}
    others = Counter(box.label for item in usable.items for box in item.boxes or () if box.label not in numbers)
    require_known_class(data, usable.classes, detector.labels)
    images, excluded = _read(data, usable, detector, seen, progress)
    boxes = [
        [digest, [astuple(box) for box in item.boxes or ()]]
        for digest, item in zip(images.hashes, images.items, strict=True)
    ]
    facts = describe_test(data, usable, images.items, boxes, detector.labels, excluded, images.errors)
    truth = [
        _true_boxes(item.boxes or (), numbers, *size) for item, size in zip(images.items, images.sizes, strict=True)
    ]
    found = [
        FoundBoxes(boxes_in_image(one.corners, *size, where), one.classes, one.scores)
        for one, size, where in zip(
            _told(detector.find(images.canvases, device), len(images), progress),
            images.sizes,
            images.places,
            strict=True,
        )
    ]
    other_classes = {label: others[label] for label in sorted(others)}
    return DetectionEvaluation(**facts, other_classes=other_classes, truth=truth, found=found)


def evaluate_segmenter(
    segmenter: Segmenter,
    data: ImageSet,
    seen: frozenset[str],
    device: torch.device,
    progress: Progress | None = None,
) -> SegmentationEvaluation:
    """Name the class of each pixel of images whose masks are known, and compare.

    Parameters
    ----------
    segmenter
        The model.
    data
        Images with masks. Pixels of classes that the model does not know are not measured.
    seen
        Content hashes of the images that the model or an ancestor learned from.
    device
        Where to compute.
    progress
        See :func:`imagine_lib.evaluation.tested.ask`.

    Returns
    -------
    SegmentationEvaluation
        Measured on the canvases, so that a large image counts no more than a small one.

    Raises
    ------
    DataError
        The model knows none of the classes, or no image is left: none is readable, or it has seen them all.
    """
    usable, labels = data.labelled, segmenter.labels
    numbers = np.asarray([labels.index(label) if label in labels else IGNORED for label in data.classes], np.int64)
    require_known_class(data, data.classes, labels)
    images, excluded = _read(data, usable, segmenter, seen, progress)
    size = segmenter.manifest.input.size
    loaded = load_masks(images.items, images.sizes, images.places, size, len(numbers))
    if not loaded.kept:
        raise DataError(f"{data.source} holds no image to test with: none of its masks can be read.")
    failed = {images.positions[row]: text for row, text in loaded.errors.items()}
    images = replace(images.pick(loaded.kept), errors=images.errors | failed)
    confusions = np.zeros((len(images), len(labels), len(labels)), np.int64)
    for row, answer in enumerate(_told(segmenter.colour(images.canvases, device), len(images), progress)):
        mask = loaded.masks[row]
        truth = np.where(mask == IGNORED, IGNORED, numbers[mask.clip(0)])
        confusions[row] = mask_confusion(truth, answer.classes, len(labels), IGNORED)
    masks = [
        [digest, content_hash(item.mask) if item.mask else None]
        for digest, item in zip(images.hashes, images.items, strict=True)
    ]
    facts = describe_test(data, usable, images.items, masks, labels, excluded, images.errors)
    return SegmentationEvaluation(**facts, confusions=confusions)


def _read(
    data: ImageSet,
    usable: ImageSet,
    model: Detector | Segmenter,
    seen: frozenset[str],
    progress: Progress | None,
) -> tuple[Placed, int]:
    """Return the images that a model has not learned from, and how many it has."""
    with shown(progress, "Reading") as reading:
        images = read_placed(usable.items, model.manifest.input, reading)
    rows = [row for row, digest in enumerate(images.hashes) if digest not in seen]
    excluded = len(images) - len(rows)
    if not rows:
        raise nothing_left(data, excluded, len(images.errors))
    return images.pick(rows), excluded


def _told(answers: Iterator[Answer], images: int, progress: Progress | None) -> Iterator[Answer]:
    """Yield what a model answers, and tell how far it is."""
    with shown(progress, "Testing") as testing:
        for done, answer in enumerate(answers, 1):
            yield answer
            testing(done, images)


def _true_boxes(boxes: Sequence[Box], numbers: Mapping[str, int], width: int, height: int) -> TrueBoxes:
    """Return the boxes that have an area, cut at the border of their image as the found ones are."""
    whole = boxes_on_canvas(boxes, numbers, width, height, Placement(0, 0, width, height, 1.0, 1.0))
    return TrueBoxes(as_sides(whole.corners), whole.classes)
