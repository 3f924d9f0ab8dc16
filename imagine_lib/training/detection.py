"""Object detection as an objective: canvases with boxes, changes that boxes follow exactly, and mAP."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from imagine_lib.data.placed import Placed, read_placed
from imagine_lib.data.targets import CanvasBoxes, as_sides, boxes_on_canvas
from imagine_lib.errors import DataError
from imagine_lib.evaluation.detection import FoundBoxes, TrueBoxes, measure_detections
from imagine_lib.evaluation.locating import evaluate_detector
from imagine_lib.models.builders import losses
from imagine_lib.models.detector import Detector, find
from imagine_lib.training.augmentation import flip_boxes
from imagine_lib.training.finished import Finished
from imagine_lib.training.locating import Locating

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from imagine_lib.data.imageset import ImageSet
    from imagine_lib.data.splits import Split
    from imagine_lib.training.progress import EventLog
    from imagine_lib.training.recipe import Recipe
    from imagine_lib.training.showing import Showing
    from imagine_lib.wire import InputSpec, ModelManifest


@dataclass(frozen=True)
class Boxed:
    """Images with what is on each."""

    images: Placed
    boxes: list[CanvasBoxes]


class Detection(Locating):
    """Finding things and saying what they are.

    Parameters
    ----------
    split
        The images; those without a box say that nothing is on them.
    spec
        The preprocessing.
    recipe
        How to train.
    device
        Where to compute.
    log
        Told what is left out.

    Raises
    ------
    DataError
        A class has no box that can be learned from, or there is no box to choose the best epoch with.
    """

    score_name = "mAP"

    def __init__(self, split: Split, spec: InputSpec, recipe: Recipe, device: torch.device, log: EventLog) -> None:
        classes = split.train.classes
        self.train = _read(split.train, classes, spec, log)
        self._counts = np.bincount(_all_classes(self.train), minlength=len(classes))
        if not classes or not self._counts.all():
            what = f"Class {classes[int(self._counts.argmin())]!r} of" if classes else "Every image of"
            raise DataError(f"{what} {split.train.source} has no box that can be learned from: look at data.check().")
        self._select = _read(split.select, classes, spec, log)
        if not len(_all_classes(self._select)):
            raise DataError(f"{split.select.source} has no box to choose the best epoch with: add images with boxes.")
        super().__init__(self.train.images, self._select.images, spec, recipe, device)

    @property
    def support(self) -> NDArray[np.int64]:
        """Training boxes of each class; shape (classes,)."""
        return self._counts

    def loss(self, network: nn.Module, shown: Showing) -> torch.Tensor:
        """Return the sum of the detector's losses, as torchvision weighs them."""
        batch, flips = self._pictures(shown)
        chosen = [self.train.boxes[position] for position in shown.positions.tolist()]
        corners = [
            flip_boxes(torch.from_numpy(one.corners), flip, self.spec.size).to(self.device)
            for one, flip in zip(chosen, flips.tolist(), strict=True)
        ]
        labels = [torch.from_numpy(one.classes).to(self.device) for one in chosen]
        return losses(network, batch, corners, labels)

    def score(self, network: nn.Module) -> float:
        """Return the mean average precision on the images to select with, measured on their canvases."""
        truth = [TrueBoxes(as_sides(one.corners), one.classes) for one in self._select.boxes]
        found = [
            FoundBoxes(as_sides(one.corners), one.classes, one.scores)
            for one in find(network, self._select.images.canvases, self.spec, self.device)
        ]
        return measure_detections(truth, found, len(self._counts)).mean

    def finish(self, network: nn.Module, manifest: ModelManifest, test: ImageSet, seen: frozenset[str]) -> Finished:
        """Test."""
        detector = Detector(network, manifest)
        return Finished(detector, evaluate_detector(detector, test, seen, self.device))


def _read(part: ImageSet, classes: list[str], spec: InputSpec, log: EventLog) -> Boxed:
    usable, numbers = part.labelled, {label: number for number, label in enumerate(classes)}
    images = read_placed(usable.items, spec, log.reading)
    for message in images.errors.values():
        log.emit("message", text=f"Left out: {message}")
    boxes = [
        boxes_on_canvas(item.boxes or (), numbers, *size, where)
        for item, size, where in zip(images.items, images.sizes, images.places, strict=True)
    ]
    _tell_what_is_left_out(boxes, log)
    return Boxed(images, boxes)


def _tell_what_is_left_out(boxes: list[CanvasBoxes], log: EventLog) -> None:
    reasons = {
        "odd": "without an area or outside of their image",
        "tiny": "smaller than a pixel of the network's image: a larger image_size shows them",
        "strange": "of classes without training images",
    }
    counts = Counter({key: sum(getattr(one, key) for one in boxes) for key in reasons})
    for key, reason in reasons.items():
        if counts[key]:
            log.emit("message", text=f"Left out: {counts[key]} boxes {reason}.")


def _all_classes(boxed: Boxed) -> NDArray[np.int64]:
    return np.concatenate([np.empty(0, np.int64), *(one.classes for one in boxed.boxes)])
