"""Measure a classifier on labelled images, leaving out those it learned from.

The measures are scikit-learn's; a class that the model knows and the test set lacks is left out of the means.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    precision_recall_fscore_support,
)

from imagine_lib.data.loading import load_canvases
from imagine_lib.errors import DataError
from imagine_lib.prediction.record import Failure

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageSet
    from imagine_lib.models.classifier import Classifier


@dataclass(frozen=True)
class Evaluation:
    """What a model answered on a test set, and what that is worth."""

    labels: list[str]
    """Classes of the confusion matrix: those of the test set and those that the model gave."""
    truth: list[str]
    answers: list[str]
    groups: list[str]
    """The group of each image; its own name where there are no groups."""
    excluded: int
    """Images left out because the model or an ancestor learned from them."""
    failures: list[Failure]
    manifest_sha256: str
    """Hash of the test set: of the content hashes and labels of its images."""
    grouped: bool

    @property
    def metrics(self) -> dict[str, float]:
        """Accuracy, macro-F1 and balanced accuracy, each in 0..1."""
        f1 = [row["f1"] for row in self.per_class if row["support"]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a class that only the answers have is no surprise
            balanced = balanced_accuracy_score(self.truth, self.answers)
        return {
            "accuracy": float(accuracy_score(self.truth, self.answers)),
            "macro_f1": float(np.mean(f1)),
            "balanced_accuracy": float(balanced),
        }

    @property
    def per_class(self) -> list[dict[str, Any]]:
        """Precision, recall, F1 and support of each class."""
        columns = precision_recall_fscore_support(self.truth, self.answers, labels=self.labels, zero_division=0)
        return [
            {"label": label, "precision": float(p), "recall": float(r), "f1": float(f), "support": int(s)}
            for label, p, r, f, s in zip(self.labels, *columns, strict=True)
        ]

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Shape (classes, classes): rows are the truth, columns the answers."""
        matrix: NDArray[np.int64] = confusion_matrix(self.truth, self.answers, labels=self.labels)
        return matrix

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, as ``imagine evaluate --json`` prints it."""
        return {
            "metrics": self.metrics,
            "per_class": self.per_class,
            "confusion": {"labels": self.labels, "matrix": self.confusion.tolist()},
            "test": {
                "images": len(self.truth),
                "excluded_as_seen": self.excluded,
                "manifest_sha256": self.manifest_sha256,
            },
            "errors": [{"image": failure.image, "message": failure.message} for failure in self.failures],
        }


def evaluate_classifier(
    classifier: Classifier, data: ImageSet, seen: frozenset[str], device: torch.device
) -> Evaluation:
    """Ask a classifier about labelled images and compare.

    Parameters
    ----------
    classifier
        The model.
    data
        Images with labels.
    seen
        Content hashes of the images that the model or an ancestor learned from.
    device
        Where to compute.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        The model knows none of the classes, or no image is left: none is readable, or it has seen them all.
    """
    if not set(data.classes) & set(classifier.labels):
        raise DataError(f"The model knows none of the classes of {data.source}: retrain it on them first.")
    loaded = load_canvases(data.items, classifier.manifest.input)
    fresh = [row for row, digest in enumerate(loaded.hashes) if digest not in seen]
    excluded = len(loaded.hashes) - len(fresh)
    if not fresh:
        why = f"the model learned from all {excluded} of them" if excluded else "none of them can be read"
        raise DataError(f"{data.source} holds no image to test with: {why}.")
    truth = [str(data.items[loaded.kept[row]].label) for row in fresh]
    table = classifier.probabilities(loaded.canvases[fresh], device)
    answers = [classifier.labels[index] for index in table.argmax(axis=1)]
    failures = [Failure(data.items[index].name, text) for index, text in sorted(loaded.errors.items())]
    digest = _manifest_hash([loaded.hashes[row] for row in fresh], truth)
    labels = sorted(set(truth) | set(answers))
    items = [data.items[loaded.kept[row]] for row in fresh]
    groups = [item.name if item.group is None else item.group for item in items]
    return Evaluation(labels, truth, answers, groups, excluded, failures, digest, data.grouping is not None)


def _manifest_hash(hashes: list[str], truth: list[str]) -> str:
    return hashlib.sha256(json.dumps(sorted(zip(hashes, truth, strict=True))).encode()).hexdigest()
