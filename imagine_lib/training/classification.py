"""Image classification as an objective: canvases, classes, changes at random, and macro-F1."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import nn

from imagine_lib.evaluation.evaluate import evaluate_classifier
from imagine_lib.evaluation.measures import confusion_matrix, macro_f1
from imagine_lib.models.asking import logits as ask
from imagine_lib.models.calibration import CALIBRATION
from imagine_lib.models.classifier import Classifier
from imagine_lib.training.augmentation import FACTS, augment
from imagine_lib.training.calibrating import calibrate
from imagine_lib.training.feed import Feed
from imagine_lib.training.finished import Finished
from imagine_lib.training.head import begin_with_head
from imagine_lib.training.preview import Preview
from imagine_lib.training.randomness import generator
from imagine_lib.training.showing import Showing, order_once, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageSet
    from imagine_lib.training.labelled import LabelledParts
    from imagine_lib.training.recipe import Balance, Recipe
    from imagine_lib.wire import InputSpec, ModelManifest

UNEVEN = 3.0
"""From this ratio of the largest class to the smallest on, training is balanced."""

AT_ONCE = 64
"""Images in a batch from which normalisation is measured."""


class Classification:
    """Telling classes apart.

    Parameters
    ----------
    parts
        The images.
    classes
        How many classes there are.
    spec
        The preprocessing.
    recipe
        How to train.
    device
        Where to compute.
    """

    score_name = "macro-F1"

    def __init__(
        self, parts: LabelledParts, classes: int, spec: InputSpec, recipe: Recipe, device: torch.device
    ) -> None:
        self.train, self._parts, self.spec, self._recipe, self.device = parts.train, parts, spec, recipe, device
        self.seen = parts.seen
        self._feed = Feed(parts.train.canvases, spec, device)
        self._targets = torch.from_numpy(parts.train.targets)
        self._counts = torch.bincount(self._targets, minlength=classes)
        self._balance = _balance(recipe.balance, self._counts)

    def __len__(self) -> int:
        return len(self.train)

    @property
    def support(self) -> NDArray[np.int64]:
        """Training images of each class; shape (classes,)."""
        found: NDArray[np.int64] = self._counts.numpy()
        return found

    def begin(self, network: nn.Module) -> Preview:
        """Fit the head on the features."""
        begin_with_head(network, self)
        confusion = confusion_matrix(self._parts.select.targets, self._answers(network), len(self._counts))
        return Preview(float(macro_f1(confusion)), confusion)

    def batches(self) -> Iterator[torch.Tensor]:
        """Return the training images as they are, in a random order."""
        order = torch.randperm(len(self), generator=generator(self._recipe.seed, "batches"))
        even = torch.tensor_split(order, -(-len(order) // AT_ONCE))  # each counts alike in what is measured on them
        return (self._feed.batch(positions) for positions in even)

    def showing(self, epoch: int) -> Showing:
        """Return an epoch's images in a random order: each once, or by class where the sampling is balanced."""
        seed, count = self._recipe.seed, len(self)
        if self._balance == "sampling":
            weights = (1 / self._counts.double())[self._targets]
            random = generator(seed, epoch, "order")
            order = torch.multinomial(weights, count, replacement=True, generator=random)
        else:
            order = order_once(count, seed, epoch)
        return show(order, seed, epoch, FACTS)

    def loss(self, network: nn.Module, shown: Showing) -> torch.Tensor:
        """Return the mean cross-entropy, of logits adjusted by the class frequencies where that is the balance.

        Menon et al. 2021, "Long-tail learning via logit adjustment", equation 10, with tau = 1.
        """
        if self._recipe.augment:
            batch = augment(self._feed.canvases(shown.positions), shown.random, self.spec)
        else:
            batch = self._feed.batch(shown.positions)
        logits = network(batch).float()
        if self._balance == "logits":
            logits = logits + self._log_prior
        return nn.functional.cross_entropy(logits, self._targets[shown.positions].to(self.device))

    def score(self, network: nn.Module) -> float:
        """Return the macro-F1 on the images to select with, over the classes that are among them."""
        confusion = confusion_matrix(self._parts.select.targets, self._answers(network), len(self._counts))
        return float(macro_f1(confusion))

    def describe(self, positions: torch.Tensor) -> str:
        """Name some images, for an error."""
        return ", ".join(self.train.names[position] for position in positions[:5].tolist())

    def finish(self, network: nn.Module, manifest: ModelManifest, test: ImageSet, seen: frozenset[str]) -> Finished:
        """Calibrate on the images kept for that, and test."""
        classifier = Classifier(network, manifest)
        merged = self._parts.calibrate is self._parts.select
        manifest.provenance.arguments["balance"] = self._balance
        manifest.calibration, answers = calibrate(classifier, self._parts.calibrate, merged, self.device)
        evaluation = evaluate_classifier(classifier, test, seen, self.device)
        return Finished(classifier, evaluation, {CALIBRATION: answers.to_bytes()})

    @property
    def class_weights(self) -> torch.Tensor:
        """How much each class counts in a loss that is not adjusted otherwise; shape (classes,), mean 1 an image."""
        if self._balance == "none":
            return torch.ones(len(self._counts))
        return self._counts.sum() / (len(self._counts) * self._counts.float())

    def _answers(self, network: nn.Module) -> NDArray[np.int64]:
        answers: NDArray[np.int64] = (
            ask(network, self._parts.select.canvases, self.spec, self.device).argmax(dim=1).numpy()
        )
        return answers

    @cached_property
    def _log_prior(self) -> torch.Tensor:
        return (self._counts / self._counts.sum()).log().to(self.device)


def _balance(wanted: Balance, counts: torch.Tensor) -> Balance:
    if wanted != "auto":
        return wanted
    return "logits" if counts.max() >= UNEVEN * counts.min() else "none"
