"""Networks that say where something is: torchvision's detectors and segmenters, made for canvases.

torchvision's detectors count the background as class 0. That stays inside this file: everywhere else the classes of
a model are numbered from 0, and what lies on nothing has no class.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn
from torchvision import models
from torchvision.models.detection.faster_rcnn import FasterRCNN
from torchvision.models.detection.ssd import SSD
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.models.segmentation import LRASPP, DeepLabV3

from imagine_lib.errors import UsageError
from imagine_lib.models.families import SEGMENTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagine_lib.wire import Architecture

LEAST_SCORE = 0.01
"""Boxes of which a detector is less sure are not made: mean average precision hardly knows them."""

MOST_BOXES = 100
"""Boxes that a detector finds in one image at most, the surest ones: as many as COCO's rules look at."""


def build_locating(architecture: Architecture, classes: int) -> nn.Module:
    """Build a detector or a segmenter with random weights.

    Parameters
    ----------
    architecture
        One of ``DETECTORS`` or ``SEGMENTERS``; there are no arguments.
    classes
        How many classes there are.

    Returns
    -------
    torch.nn.Module
        Takes normalised canvases, shape (n, 3, size, size), of any size.

    Raises
    ------
    UsageError
        Arguments are given.
    """
    if architecture.arguments:
        raise UsageError(f"{architecture.builder} takes no arguments here: leave {min(architecture.arguments)} out.")
    build = partial(models.get_model, architecture.builder, weights=None, weights_backbone=None)
    if architecture.builder in SEGMENTERS:
        segmenter: nn.Module = build(num_classes=classes)
        return segmenter
    network: SSD | FasterRCNN = build(num_classes=classes + 1)
    network.transform = _AsTheyAre(network.transform.size_divisible)
    finds = network.roi_heads if isinstance(network, FasterRCNN) else network
    finds.score_thresh, finds.detections_per_img = LEAST_SCORE, MOST_BOXES
    return network


def is_locating(network: nn.Module) -> bool:
    """Tell whether a network is one of those made here."""
    return isinstance(network, (SSD, FasterRCNN, LRASPP, DeepLabV3))


def is_detector(network: nn.Module) -> bool:
    """Tell whether a network finds boxes."""
    return isinstance(network, (SSD, FasterRCNN))


def losses(
    network: nn.Module, batch: torch.Tensor, boxes: Sequence[torch.Tensor], classes: Sequence[torch.Tensor]
) -> torch.Tensor:
    """Return the sum of a detector's losses, as torchvision has them.

    Parameters
    ----------
    network
        In training mode.
    batch
        Normalised canvases, shape (n, 3, size, size).
    boxes
        For each image shape (boxes, 4): left, top, right, bottom, in canvas pixels; none has an area of 0.
    classes
        For each image int64, shape (boxes,), from 0.
    """
    targets = [{"boxes": box, "labels": label + 1} for box, label in zip(boxes, classes, strict=True)]
    parts: dict[str, torch.Tensor] = network(list(batch), targets)
    return torch.stack([part.float() for part in parts.values()]).sum()


def detections(network: nn.Module, batch: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Return what a detector in evaluation mode finds on normalised canvases.

    Returns
    -------
    list of tuple
        For each image corners float32 (boxes, 4) in canvas pixels, classes int64 (boxes,) from 0 and scores float32
        (boxes,) in 0..1, surest first; on the CPU.
    """
    answers: list[dict[str, torch.Tensor]] = network(list(batch))
    return [(one["boxes"].float().cpu(), one["labels"].cpu() - 1, one["scores"].float().cpu()) for one in answers]


class _AsTheyAre(GeneralizedRCNNTransform):  # type: ignore[misc]
    """Leaves canvases as they are: they have the size and the values already that the network takes."""

    def __init__(self, size_divisible: int) -> None:
        super().__init__(1, 1, [0.0] * 3, [1.0] * 3, size_divisible=size_divisible)

    def normalize(self, image: torch.Tensor) -> torch.Tensor:
        """Return an image as it is."""
        return image

    def resize(
        self, image: torch.Tensor, target: dict[str, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor] | None]:
        """Return an image and its boxes as they are."""
        return image, target
