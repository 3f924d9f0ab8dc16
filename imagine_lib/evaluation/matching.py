"""Which detection found which true box, in one image: the rules of COCO's program ``cocoeval``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imagine_lib.evaluation.detection import FoundBoxes, TrueBoxes

OVERLAPS = np.linspace(0.5, 0.95, 10)
MOST_DETECTIONS = 100
"""Of one class in one image; the less sure ones are left out."""


def overlaps(
    found: NDArray[np.floating], true: NDArray[np.floating], crowd: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return the overlap of each pair of boxes: intersection over union.

    Parameters
    ----------
    found, true
        Shape (n, 4) and (m, 4): x, y, width, height.
    crowd
        Shape (m,): for these the intersection over the found box's own area.

    Returns
    -------
    numpy.ndarray
        Shape (n, m).
    """
    first, second = np.asarray(found, np.float64)[:, None], np.asarray(true, np.float64)[None]
    start = np.maximum(first[..., :2], second[..., :2])
    end = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    both = np.prod(np.clip(end - start, 0, None), axis=-1)
    own, other = np.prod(first[..., 2:], axis=-1), np.prod(second[..., 2:], axis=-1)
    either = own + other - both if crowd is None else np.where(crowd, own, own + other - both)
    shared = np.zeros(both.shape)
    np.divide(both, either, out=shared, where=either > 0)
    return shared


class InImage(NamedTuple):
    """Detections of one class in one image, surest first."""

    scores: NDArray[np.float64]
    found: NDArray[np.bool_]
    """Shape (overlaps, detections)."""
    ignored: NDArray[np.bool_]
    wanted: int


def match_image(true: TrueBoxes, found: FoundBoxes, label: int, area: tuple[float, float]) -> InImage:
    """Give each detection of a class its true box, at each overlap.

    Parameters
    ----------
    true, found
        What is in the image, and what was found there.
    label
        The class.
    area
        The smallest and the largest box to be found, in square pixels.

    Returns
    -------
    InImage
        A box is found once, by the surest detection that overlaps it enough; what is ignored is matched last.
    """
    mine, given = true.classes == label, found.classes == label
    crowd = np.zeros(len(mine), bool) if true.crowd is None else np.asarray(true.crowd, bool)
    boxes, crowd = np.asarray(true.boxes, np.float64).reshape(-1, 4)[mine], crowd[mine]
    outside = _outside(boxes, area)
    order = np.argsort(crowd | outside, kind="stable")  # what is ignored is matched last
    boxes, crowd, ignored_box = boxes[order], crowd[order], (crowd | outside)[order]
    scores = np.asarray(found.scores, np.float64)[given]
    surest = np.argsort(-scores, kind="stable")[:MOST_DETECTIONS]
    detections = np.asarray(found.boxes, np.float64).reshape(-1, 4)[given][surest]
    table = overlaps(detections, boxes, crowd)
    hit = np.zeros((len(OVERLAPS), len(surest)), bool)
    ignored, free = np.zeros_like(hit), np.ones((len(OVERLAPS), len(boxes)), bool)
    wanted = int((~ignored_box).sum())
    for row in np.flatnonzero(table.max(axis=1, initial=0.0) >= OVERLAPS[0]):
        shared = np.where(free | crowd, table[row], -1.0)
        box = _best(shared[:, :wanted])
        if wanted < len(boxes):
            box = np.where(box < 0, _best(shared[:, wanted:], wanted), box)
        levels = np.flatnonzero(box >= 0)
        free[levels, box[levels]] = False
        hit[levels, row], ignored[levels, row] = True, ignored_box[box[levels]]
    ignored |= ~hit & _outside(detections, area)
    return InImage(scores[surest], hit, ignored, wanted)


def _best(shared: NDArray[np.float64], first: int = 0) -> NDArray[np.intp]:
    """Return at each overlap the box that shares most, of equals the last; -1 where none shares enough."""
    boxes = shared.shape[1]
    if not boxes:
        return np.full(len(OVERLAPS), -1)
    enough = shared.max(axis=1) >= np.minimum(OVERLAPS, 1 - 1e-10)
    return np.where(enough, first + boxes - 1 - shared[:, ::-1].argmax(axis=1), -1)


def _outside(boxes: NDArray[np.float64], area: tuple[float, float]) -> NDArray[np.bool_]:
    size = boxes[:, 2] * boxes[:, 3]
    return (size < area[0]) | (size > area[1])
