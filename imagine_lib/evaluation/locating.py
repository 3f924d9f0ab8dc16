"""Test a detector or a segmenter on images that it has not learned from."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import astuple, replace
from typing import TYPE_CHECKING, Any

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
from imagine_lib.prediction.record import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from imagine_lib.data.imageset import Box, ImageSet
    from imagine_lib.models.detector import Detector
    from imagine_lib.models.segmenter import Segmenter


def evaluate_detector(
    detector: Detector, data: ImageSet, seen: frozenset[str], device: torch.device
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
    if usable.classes and not set(usable.classes) & set(numbers):
        raise DataError(f"The model knows none of the classes of {data.source}: retrain it on them first.")
    images, excluded = _fresh(data, usable, detector, seen)
    facts = _facts(data, usable, images, excluded, detector.labels)
    facts["other_classes"] = {label: others[label] for label in sorted(others)}
    truth = [
        _true_boxes(item.boxes or (), numbers, *size) for item, size in zip(images.items, images.sizes, strict=True)
    ]
    found = [
        FoundBoxes(boxes_in_image(one.corners, *size, where), one.classes, one.scores)
        for one, size, where in zip(detector.find(images.canvases, device), images.sizes, images.places, strict=True)
    ]
    return DetectionEvaluation(**facts, truth=truth, found=found)


def evaluate_segmenter(
    segmenter: Segmenter, data: ImageSet, seen: frozenset[str], device: torch.device
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
    if not (numbers >= 0).any():
        raise DataError(f"The model knows none of the classes of {data.source}: retrain it on them first.")
    images, excluded = _fresh(data, usable, segmenter, seen)
    size = segmenter.manifest.input.size
    loaded = load_masks(images.items, images.sizes, images.places, size, len(numbers))
    if not loaded.kept:
        raise DataError(f"{data.source} holds no image to test with: none of their masks can be read.")
    failed = {images.positions[row]: text for row, text in loaded.errors.items()}
    images = replace(images.pick(loaded.kept), errors=images.errors | failed)
    confusions = np.zeros((len(images), len(labels), len(labels)), np.int64)
    for row, answer in enumerate(segmenter.colour(images.canvases, device)):
        mask = loaded.masks[row]
        truth = np.where(mask == IGNORED, IGNORED, numbers[mask.clip(0)])
        confusions[row] = mask_confusion(truth, answer.classes, len(labels), IGNORED)
    return SegmentationEvaluation(**_facts(data, usable, images, excluded, labels), confusions=confusions)


def _fresh(data: ImageSet, usable: ImageSet, model: Detector | Segmenter, seen: frozenset[str]) -> tuple[Placed, int]:
    """Return the images that a model has not learned from, and how many it has."""
    images = read_placed(usable.items, model.manifest.input)
    rows = [row for row, digest in enumerate(images.hashes) if digest not in seen]
    excluded = len(images) - len(rows)
    if not rows:
        known = f"the model learned from {excluded} of them" if excluded else ""
        broken = f"{len(images.errors)} cannot be read" if images.errors else ""
        why = " and ".join(filter(None, (known, broken))) or "none of its images is labelled"
        raise DataError(f"{data.source} holds no image to test with: {why}.")
    return images.pick(rows), excluded


def _facts(data: ImageSet, usable: ImageSet, images: Placed, excluded: int, labels: list[str]) -> dict[str, Any]:
    """Return what is said of every test, whatever its task."""
    truth = [
        [digest, content_hash(item.mask) if item.mask else [astuple(box) for box in item.boxes or ()]]
        for digest, item in zip(images.hashes, images.items, strict=True)
    ]
    return {
        "labels": labels,
        "names": [item.name for item in images.items],
        "groups": [item.name if item.group is None else item.group for item in images.items],
        "grouped": data.grouping is not None,
        "manifest_sha256": hashlib.sha256(json.dumps(sorted(truth)).encode()).hexdigest(),
        "contents": [item.content for item in images.items],
        "excluded": excluded,
        "failures": [Failure(usable.items[place].name, text) for place, text in sorted(images.errors.items())],
        "unlabelled": len(data) - len(usable),
    }


def _true_boxes(boxes: Sequence[Box], numbers: Mapping[str, int], width: int, height: int) -> TrueBoxes:
    """Return the boxes that have an area, cut at the border of their image as the found ones are."""
    whole = boxes_on_canvas(boxes, numbers, width, height, Placement(0, 0, width, height, 1.0, 1.0))
    return TrueBoxes(as_sides(whole.corners), whole.classes)
