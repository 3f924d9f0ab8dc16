"""Give a trained detector or segmenter other classes, and find the layers that answer with them."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torchvision.models.detection.faster_rcnn import FasterRCNN
from torchvision.models.detection.ssd import SSD
from torchvision.models.segmentation import LRASPP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def replace_answers(network: nn.Module, classes: int, kept: Mapping[int, Sequence[int]]) -> None:
    """Make a detector or segmenter answer with other classes.

    Parameters
    ----------
    network
        Changed in place; its features stay.
    classes
        How many classes it shall know.
    kept
        For new classes that it knew already, the old ones that each is made of. Each of the others begins with the
        average of what it knows: that something is there, and how large.
    """
    for answers in _answers(network):
        setattr(answers.parent, answers.name, _with_classes(answers, classes, kept))
    if isinstance(network, SSD):
        network.head.classification_head.num_columns = classes + 1


def answering_parameters(network: nn.Module) -> set[nn.Parameter]:
    """Return the parameters of the layers that answer with classes."""
    return {parameter for answers in _answers(network) for parameter in answers.layer.parameters()}


@dataclass(frozen=True)
class _Answers:
    """A layer whose outputs are classes, and where it sits."""

    parent: nn.Module
    name: str
    background: int
    """1 where the first class is the background, else 0."""
    anchors: int = 1
    """How many times all classes follow each other."""
    each: int = 1
    """Outputs of each class."""

    @property
    def layer(self) -> Any:
        """The layer itself."""
        return getattr(self.parent, self.name)


def _answers(network: Any) -> list[_Answers]:
    if isinstance(network, FasterRCNN):
        predictor = network.roi_heads.box_predictor
        return [_Answers(predictor, "cls_score", 1), _Answers(predictor, "bbox_pred", 1, each=4)]
    if isinstance(network, SSD):
        scoring = network.head.classification_head
        places = [
            (block, str(len(block) - 1)) if isinstance(block, nn.Sequential) else (scoring.module_list, str(index))
            for index, block in enumerate(scoring.module_list)
        ]
        return [
            _Answers(parent, name, 1, anchors=getattr(parent, name).out_channels // scoring.num_columns)
            for parent, name in places
        ]
    if isinstance(network, LRASPP):
        return [_Answers(network.classifier, name, 0) for name in ("low_classifier", "high_classifier")]
    return [_Answers(network.classifier, str(len(network.classifier) - 1), 0)]


def _with_classes(answers: _Answers, classes: int, kept: Mapping[int, Sequence[int]]) -> nn.Module:
    """Return a layer that answers with other classes."""
    fresh: Any = deepcopy(answers.layer)
    fresh.weight = nn.Parameter(_rows(answers.layer.weight.detach(), answers, classes, kept))
    fresh.bias = nn.Parameter(_rows(answers.layer.bias.detach(), answers, classes, kept))
    setattr(fresh, "out_channels" if isinstance(fresh, nn.Conv2d) else "out_features", len(fresh.weight))
    changed: nn.Module = fresh
    return changed


def _rows(values: torch.Tensor, answers: _Answers, classes: int, kept: Mapping[int, Sequence[int]]) -> torch.Tensor:
    """Return the rows of a layer's weights or biases for other classes."""
    old = values.view(answers.anchors, -1, answers.each, *values.shape[1:])
    background, known = old[:, : answers.background], old[:, answers.background :]
    sources = [list(kept.get(number, range(known.shape[1]))) for number in range(classes)]
    new = [known[:, rows].mean(dim=1, keepdim=True) for rows in sources]
    return torch.cat([background, *new], dim=1).reshape(-1, *values.shape[1:])
