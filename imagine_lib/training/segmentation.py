"""Segmentation as an objective: canvases with masks, changes that masks follow exactly, and mean IoU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from imagine_lib.data.masks import CanvasMasks, load_masks
from imagine_lib.data.placed import Placed, read_placed
from imagine_lib.data.targets import IGNORED
from imagine_lib.errors import DataError
from imagine_lib.evaluation.locating import evaluate_segmenter
from imagine_lib.evaluation.segmentation import mask_confusion, measure_masks
from imagine_lib.models.segmenter import Segmenter, colour
from imagine_lib.training.augmentation import flip_images
from imagine_lib.training.finished import Finished
from imagine_lib.training.locating import Locating

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageSet
    from imagine_lib.data.splits import Split
    from imagine_lib.training.progress import EventLog
    from imagine_lib.training.recipe import Recipe
    from imagine_lib.training.showing import Showing
    from imagine_lib.wire import InputSpec, ModelManifest


@dataclass(frozen=True)
class Masked:
    """Images with the class of each of their pixels."""

    images: Placed
    masks: CanvasMasks


class Segmentation(Locating):
    """Naming the class of every pixel.

    Parameters
    ----------
    split
        The images.
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
        There are fewer than two classes among the pixels, or no mask to choose the best epoch with.
    """

    score_name = "mean IoU"

    def __init__(self, split: Split, spec: InputSpec, recipe: Recipe, device: torch.device, log: EventLog) -> None:
        self._classes = len(split.train.classes)
        self.train = _read(split.train, self._classes, spec, log)
        self._counts = self.train.masks.pixel_counts()
        if (self._counts > 0).sum() < 2:
            raise DataError(
                f"The masks of {split.train.source} hold fewer than two classes: there is nothing to learn."
            )
        self._select = _read(split.select, self._classes, spec, log)
        if not self._select.masks.pixel_counts().sum():
            raise DataError(
                f"{split.select.source} has no mask to choose the best epoch with: add images with masks."
            )
        super().__init__(self.train.images, self._select.images, spec, recipe, device)
        self._weights = pixel_weights(self._counts).to(device)

    @property
    def support(self) -> NDArray[np.int64]:
        """Training pixels of each class, on the canvases; shape (classes,)."""
        return self._counts

    def loss(self, network: nn.Module, shown: Showing) -> torch.Tensor:
        """Return the mean cross-entropy of the pixels, weighted by class."""
        batch, flips = self._pictures(shown)
        masks = np.stack([self.train.masks[position] for position in shown.positions.tolist()])
        truth = flip_images(torch.from_numpy(masks).to(self.device), flips)
        logits = network(batch)["out"].float()
        wrong = nn.functional.cross_entropy(
            logits, truth, weight=self._weights, ignore_index=IGNORED, reduction="sum"
        )
        return wrong / self._weights[truth[truth != IGNORED]].sum().clamp_min(1.0)

    def score(self, network: nn.Module) -> float:
        """Return the mean IoU on the images to select with, measured on their canvases."""
        confusion = np.zeros((self._classes, self._classes), np.int64)
        answers = colour(network, self._select.images.canvases, self.spec, self.device)
        for row, answer in enumerate(answers):
            confusion += mask_confusion(self._select.masks[row], answer.classes, self._classes, IGNORED)
        return float(measure_masks(confusion).mean_iou)

    def finish(self, network: nn.Module, manifest: ModelManifest, test: ImageSet, seen: frozenset[str]) -> Finished:
        """Test."""
        segmenter = Segmenter(network, manifest)
        return Finished(segmenter, evaluate_segmenter(segmenter, test, seen, self.device))


def pixel_weights(counts: NDArray[np.int64]) -> torch.Tensor:
    """Return how much a pixel of each class counts: the square root of the inverse of the class's share of pixels.

    Cortinhal, Tzelepis & Aksoy 2020, "SalsaNext: Fast, Uncertainty-aware Semantic Segmentation of LiDAR Point
    Clouds", section "Loss function".

    Parameters
    ----------
    counts
        Pixels of each class, shape (classes,).

    Returns
    -------
    torch.Tensor
        float32, shape (classes,): 1 on the average of all pixels, 0 for a class that has none.
    """
    shares = counts / counts.sum()
    weights = np.divide(1.0, np.sqrt(shares), out=np.zeros(len(counts)), where=counts > 0)
    return torch.from_numpy(weights / (weights * shares).sum()).float()


def _read(part: ImageSet, classes: int, spec: InputSpec, log: EventLog) -> Masked:
    images = read_placed(part.labelled.items, spec, log.reading)
    found = load_masks(images.items, images.sizes, images.places, spec.size, classes)
    for message in (*images.errors.values(), *found.errors.values()):
        log.emit("message", text=f"Left out: {message}")
    if found.strange:
        log.emit("message", text=f"Left out: pixels with numbers that are no class, on {found.strange} images.")
    return Masked(images.pick(found.kept), found.masks)
