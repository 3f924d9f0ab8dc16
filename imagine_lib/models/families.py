"""The networks of torchvision's that are used here: which there are, and what each does with an image."""

from __future__ import annotations

from imagine_lib.errors import UsageError
from imagine_lib.wire import Task

FAMILIES = {
    Task.CLASSIFICATION: (
        "convnext_tiny",
        "efficientnet_b0",
        "efficientnet_v2_s",
        "mobilenet_v3_large",
        "mobilenet_v3_small",
        "resnet18",
        "resnet50",
        "swin_v2_t",
        "vit_b_16",
    ),
    Task.DETECTION: (
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        "fasterrcnn_resnet50_fpn",
        "ssdlite320_mobilenet_v3_large",
    ),
    Task.SEGMENTATION: ("deeplabv3_mobilenet_v3_large", "deeplabv3_resnet50", "lraspp_mobilenet_v3_large"),
}
"""Builders by task. Those for classification are the ones that are tested; torchvision's others may work too."""

CLASSIFIERS = FAMILIES[Task.CLASSIFICATION]
DETECTORS = FAMILIES[Task.DETECTION]
SEGMENTERS = FAMILIES[Task.SEGMENTATION]

TRANSFORMER = "vit_"
"""Builders of torchvision's that begin so make vision transformers, whose name ends in the side of their patches."""

FIXED = {"maxvit_": 224, TRANSFORMER: 224}
"""Families of networks that take images of one size only, and the size of their weights, in pixels."""


def task_of(builder: str) -> Task:
    """Return what the networks of a builder do with an image."""
    return next((task for task, builders in FAMILIES.items() if builder in builders), Task.CLASSIFICATION)


def require_task(builder: str, task: Task) -> None:
    """Refuse to begin with a network that is made for something else.

    Raises
    ------
    UsageError
        It is.
    """
    if task_of(builder) == task:
        return
    labels = {Task.CLASSIFICATION: "labels", Task.DETECTION: "boxes", Task.SEGMENTATION: "masks"}[task]
    raise UsageError(
        f"{builder} is made for {task_of(builder).value}, and these images have {labels}: begin with a network for "
        f"{task.value} like {', '.join(FAMILIES[task])}."
    )


def fixed_size(builder: str) -> int | None:
    """Return the side in pixels of the images that a network takes if it takes one size only; None: it takes any.

    A vision transformer is built for one size, which :meth:`imagine_lib.models.backbones.Backbone.at` chooses; 224
    unless told.
    """
    return next((size for family, size in FIXED.items() if builder.startswith(family)), None)
