"""How well boxes are found, by the rules of COCO.

The rules are those of the COCO evaluation server: a box is found if a detection of its class overlaps it enough, each
box once, the surest detection first; the mean precision over recall is taken at ten overlaps and averaged.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.errors import DataError, UsageError
from imagine_lib.evaluation.matching import OVERLAPS, InImage, match_image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

RECALLS = np.linspace(0, 1, 101)
AREAS: dict[str, tuple[float, float]] = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
"""Ranges of box area in square pixels; both ends belong to a range."""


@dataclass(frozen=True)
class TrueBoxes:
    """What is in one image."""

    boxes: NDArray[np.floating]
    """Shape (boxes, 4): x, y of the top left corner, width and height, in pixels."""
    classes: NDArray[np.integer]
    """Shape (boxes,)."""
    crowd: NDArray[np.bool_] | None = None
    """Shape (boxes,): a box around many individuals; detections in it count neither as found nor as wrong."""


@dataclass(frozen=True)
class FoundBoxes:
    """What a model found in one image."""

    boxes: NDArray[np.floating]
    """Shape (boxes, 4): as in :class:`TrueBoxes`."""
    classes: NDArray[np.integer]
    scores: NDArray[np.floating]
    """Shape (boxes,): how sure the model is."""


@dataclass(frozen=True)
class DetectionMeasures:
    """Average precision, each in 0..1; NaN where there is no true box."""

    mean: float
    """mAP: over ten overlaps from 0.50 to 0.95 and the classes that the truth has."""
    at_50: float
    """At an overlap of 0.50."""
    at_75: float
    by_class: NDArray[np.float64]
    """Shape (classes,): over the ten overlaps."""
    recall: float
    """The largest share of boxes found, over the ten overlaps and the classes (COCO's AR with 100 detections)."""
    boxes: int
    """True boxes that were to be found."""


@dataclass(frozen=True)
class ClassMatches:
    """What became of the detections of one class in all images, surest first."""

    image: NDArray[np.intp]
    """The number of the image of each detection; shape (detections,)."""
    found: NDArray[np.bool_]
    """Whether it found a box, at each overlap; shape (overlaps, detections)."""
    ignored: NDArray[np.bool_]
    """Whether it counts neither as found nor as wrong; shape (overlaps, detections)."""
    wanted: NDArray[np.int64]
    """Boxes to be found in each image; shape (images,)."""


def measure_detections(
    truth: Sequence[TrueBoxes], found: Sequence[FoundBoxes], classes: int, area: str = "all"
) -> DetectionMeasures:
    """Measure detections over a set of images.

    Parameters and errors are those of :func:`match_detections`.

    Returns
    -------
    DetectionMeasures
    """
    return measure_matches(match_detections(truth, found, classes, area), classes)


def match_detections(
    truth: Sequence[TrueBoxes], found: Sequence[FoundBoxes], classes: int, area: str = "all"
) -> dict[int, ClassMatches]:
    """Tell which detection found which true box: the slow part, about 12,000 detections a second.

    Parameters
    ----------
    truth, found
        One entry an image, in the same order.
    classes
        How many classes there are.
    area
        ``all``, ``small`` (to 32 x 32 pixels), ``medium`` or ``large`` (from 96 x 96): boxes outside are ignored.
        The area is that of the box; COCO takes that of the outline where there is one.

    Returns
    -------
    dict
        By class, of those that have a box or a detection.

    Raises
    ------
    DataError
        There is no image.
    UsageError
        The two differ in length, a number is no class, or ``area`` is none of the four.
    """
    _check(truth, found, classes, area)
    parts: dict[int, dict[int, InImage]] = defaultdict(dict)
    for number, (true, given) in enumerate(zip(truth, found, strict=True)):
        for label in np.union1d(true.classes, given.classes):
            parts[int(label)][number] = match_image(true, given, int(label), AREAS[area])
    return {label: _join(parts[label], len(truth)) for label in sorted(parts)}


def measure_matches(
    matches: Mapping[int, ClassMatches], classes: int, drawn: NDArray[np.int64] | None = None
) -> DetectionMeasures:
    """Measure detections that were matched before.

    Parameters
    ----------
    matches
        From :func:`match_detections`.
    classes
        How many classes there are.
    drawn
        How often each image counts, as a bootstrap draws them; shape (images,).

    Returns
    -------
    DetectionMeasures

    References
    ----------
    Lin et al. (2014), Microsoft COCO: Common objects in context, ECCV; the rules are the "Detection evaluation" page
    of cocodataset.org and its program ``cocoeval``.
    """
    precision = np.full((classes, len(OVERLAPS)), np.nan)
    recall = np.full((classes, len(OVERLAPS)), np.nan)
    boxes = 0
    for label, one in matches.items():
        times = np.ones(len(one.wanted), np.int64) if drawn is None else drawn
        wanted = int(one.wanted @ times)
        if wanted:
            precision[label], recall[label] = _average(one, times, wanted)
        boxes += wanted
    if not boxes:
        return DetectionMeasures(np.nan, np.nan, np.nan, precision[:, 0], np.nan, 0)
    present = ~np.isnan(precision[:, 0])
    by_overlap = precision[present].mean(axis=0)
    return DetectionMeasures(
        mean=float(by_overlap.mean()),
        at_50=float(by_overlap[0]),
        at_75=float(by_overlap[5]),
        by_class=precision.mean(axis=1),
        recall=float(recall[present].mean()),
        boxes=boxes,
    )


def _join(images: Mapping[int, InImage], count: int) -> ClassMatches:
    """Bring the detections of all images into one order."""
    order = np.argsort(-np.concatenate([one.scores for one in images.values()]), kind="stable")
    wanted = np.zeros(count, np.int64)
    wanted[list(images)] = [one.wanted for one in images.values()]
    return ClassMatches(
        image=np.repeat(list(images), [len(one.scores) for one in images.values()])[order],
        found=np.concatenate([one.found for one in images.values()], axis=1)[:, order],
        ignored=np.concatenate([one.ignored for one in images.values()], axis=1)[:, order],
        wanted=wanted,
    )


def _average(
    one: ClassMatches, drawn: NDArray[np.int64], wanted: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the average precision and the largest recall of one class, each of shape (overlaps,)."""
    times = drawn[one.image]
    right = np.cumsum((one.found & ~one.ignored) * times, axis=1)
    wrong = np.cumsum((~one.found & ~one.ignored) * times, axis=1)
    recall = right / wanted
    precision = right / np.maximum(right + wrong, 1)
    falling = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    padded = np.pad(falling, ((0, 0), (0, 1)))  # a recall that is never reached has precision 0
    average = [
        padded[level, np.searchsorted(recall[level], RECALLS, side="left")].mean() for level in range(len(OVERLAPS))
    ]
    return np.array(average), recall.max(axis=1, initial=0.0)


def _check(truth: Sequence[TrueBoxes], found: Sequence[FoundBoxes], classes: int, area: str) -> None:
    if not truth:
        raise DataError("There are no images to measure detections with: choose a data set that has boxes.")
    if len(truth) != len(found):
        raise UsageError(f"There are {len(truth)} images and {len(found)} results: give one result an image.")
    if area not in AREAS:
        raise UsageError(f"The area {area!r} is none of {', '.join(AREAS)}.")
    numbers = np.concatenate([image.classes for image in truth] + [image.classes for image in found])
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= classes):
        raise UsageError(
            f"The boxes hold classes {numbers.min()} to {numbers.max()}; they are numbered from 0 to {classes - 1}."
        )
