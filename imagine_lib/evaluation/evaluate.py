"""Measure a classifier on labelled images, leaving out those that it learned from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from imagine_lib.evaluation.calibration import (
    BALANCED,
    EVEN_MIX,
    CalibrationError,
    ReliabilityBin,
    calibrate,
    expected_calibration_error,
    reliability,
)
from imagine_lib.evaluation.intervals import Bootstrap, Interval
from imagine_lib.evaluation.measures import (
    SUMMARY,
    accuracy,
    confusion_matrix,
    measure_classes,
    most_confused,
    summary,
    top_k_hits,
)
from imagine_lib.evaluation.mistakes import Mistake, worst_mistakes
from imagine_lib.evaluation.taxonomy import TaxonomicAccuracy, Taxonomy, measure_ranks
from imagine_lib.evaluation.tested import Tested, ask, describe_classes, require_known_class
from imagine_lib.evaluation.thresholds import NOTE, ThresholdTest, measure_thresholds
from imagine_lib.evaluation.unknowns import UnknownTest, energy, measure_unknowns
from imagine_lib.prediction.rule import rule_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageSet
    from imagine_lib.data.loading import Progress
    from imagine_lib.evaluation.page import Section
    from imagine_lib.models.classifier import Classifier
    from imagine_lib.pictures import Picture
    from imagine_lib.prediction.rule import AnswerRule
    from imagine_lib.wire import Calibration

TOP = (3, 5)
"""Lists of suggestions whose use is measured."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation(Tested):
    """What a model answered on a test set, and what that is worth. What is expensive is computed once, when asked."""

    truth: NDArray[np.int64]
    """Shape (images,): numbers of classes."""
    probabilities: NDArray[np.float32]
    """Shape (images, classes)."""
    energies: NDArray[np.float64]
    """Shape (images,): how little each image looks like any class."""
    strange: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """Energies of the images of classes that neither the model nor an ancestor has learned, by class."""
    rule: AnswerRule
    """By which the model's predictions are accepted."""
    calibration: Calibration | None = None
    """What the model promises of its answers."""
    balanced: bool = False
    """Whether all classes counted alike in the training, however frequent they were."""
    taxonomy: Taxonomy | None = None

    @cached_property
    def answers(self) -> NDArray[np.int64]:
        """The most probable class of each image, shape (images,)."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Shape (classes, classes): rows are the truth, columns the answers."""
        return confusion_matrix(self.truth, self.answers, len(self.labels))

    @cached_property
    def metrics(self) -> dict[str, float]:
        """Accuracy, balanced accuracy, macro-F1, weighted F1 and top-k accuracy, each in 0..1."""
        values = dict(zip(SUMMARY, summary(self.confusion).tolist(), strict=True))
        return values | {name: float(hits.mean()) for name, hits in self._top.items()}

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """The same, each with its 95 % interval by bootstrap over the groups."""
        bootstrap, classes = Bootstrap(), len(self.labels)
        found = bootstrap.measure(summary, self.truth, self.answers, self.groups, classes)
        right = np.ones(len(self.truth), np.int64)
        tops = {
            name: bootstrap.measure(accuracy, right, hits.astype(np.int64), self.groups, 2)[0]
            for name, hits in self._top.items()
        }
        return dict(zip(SUMMARY, found, strict=True)) | tops

    @cached_property
    def per_class(self) -> list[dict[str, Any]]:
        """Precision, recall, F1 and support of each class of the model; None where one is undefined."""
        return measure_classes(self.confusion).to_rows(self.labels)

    @cached_property
    def most_confused(self) -> list[dict[str, Any]]:
        """The ten most frequent mistakes: ``truth``, ``answer``, ``count``, ``share`` of the true class."""
        return [
            asdict(pair) | {"truth": self.labels[pair.truth], "answer": self.labels[pair.answer]}
            for pair in most_confused(self.confusion)
        ]

    @cached_property
    def worst(self) -> list[Mistake]:
        """The mistakes of which the model was surest: those whose true class it found least probable."""
        return worst_mistakes(self)

    @cached_property
    def calibration_error(self) -> CalibrationError:
        """How far its confidence is off, beside what chance alone would show."""
        return expected_calibration_error(self.truth, self.probabilities)

    @cached_property
    def reliability(self) -> list[ReliabilityBin]:
        """How often it is right by how sure it is."""
        return reliability(self.truth, self.probabilities)

    @cached_property
    def thresholds(self) -> ThresholdTest:
        """What a prediction would accept of these images, and how much of that is right."""
        return measure_thresholds(self.rule, self.truth, self.probabilities, self.energies)

    @cached_property
    def unknowns(self) -> UnknownTest | None:
        """How well strange images are told from known ones; None, not measured, where the set has no strange ones."""
        unknown = np.concatenate([np.zeros(0), *self.strange.values()])
        return measure_unknowns(self.energies, unknown, self.rule.unknown_above)

    @cached_property
    def ranks(self) -> TaxonomicAccuracy | None:
        """How often it is right at each taxonomic rank; None without a taxonomy."""
        if self.taxonomy is None:
            return None
        return measure_ranks(self.truth, self.answers, self.labels, self.taxonomy)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, as ``imagine evaluate --json`` prints it; what is undefined is None."""
        wanted = None if self.calibration is None else self.calibration.precision
        return {
            "metrics": self.metrics,
            "intervals": {name: interval.to_dict() for name, interval in self.intervals.items()},
            "per_class": self.per_class,
            "confusion": {"labels": self.labels, "matrix": self.confusion.tolist()},
            "most_confused": self.most_confused,
            "worst": [mistake.to_dict() for mistake in self.worst],
            "calibration": asdict(self.calibration_error) | {"note": EVEN_MIX if self.balanced else ""},
            "reliability": [asdict(row) for row in self.reliability],
            "thresholds": asdict(self.thresholds)
            | {"wanted": wanted, "note": " ".join([NOTE, self.rule.note]).strip()},
            "unknowns": self.unknowns and asdict(self.unknowns) | {"classes": list(self.strange)},
            "ranks": self.ranks and asdict(self.ranks),
            **super().to_dict(),
        }

    def figure(self) -> Picture:
        """Return the confusion matrix."""
        from imagine_lib.evaluation.figures import draw_confusion

        return draw_confusion(self.labels, self.confusion, "images")

    def sections(self) -> list[Section]:
        """Return what a report says of it."""
        from imagine_lib.evaluation.classification import describe_classification

        return describe_classification(self)

    @cached_property
    def _top(self) -> dict[str, NDArray[np.bool_]]:
        """Whether each image's class is among the most probable ones, by the name of the measure."""
        classes = len(self.labels)
        return {f"top_{k}_accuracy": top_k_hits(self.truth, self.probabilities, k) for k in TOP if k < classes}


def evaluate_classifier(
    classifier: Classifier,
    data: ImageSet,
    seen: frozenset[str],
    device: torch.device,
    taxonomy: Taxonomy | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Ask a classifier about labelled images and compare.

    Parameters
    ----------
    classifier
        The model.
    data
        Images with labels. Those of classes that the model does not know are not in its figures; where no ancestor
        learned them either, they serve to measure how well the strange is told from the known.
    seen
        Content hashes of the images that the model or an ancestor learned from.
    device
        Where to compute.
    taxonomy
        The taxa of the classes, to measure by rank.
    progress
        See :func:`imagine_lib.evaluation.tested.ask`.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        The model knows none of the classes, or no image is left: none is readable, or it has seen them all.
    """
    usable, labels = data.labelled, classifier.labels
    require_known_class(data, usable.classes, labels)
    asked = ask(classifier, usable.items, seen, device, progress)
    own = np.asarray([usable.items[place].label for place in asked.positions], object)
    known = np.flatnonzero(np.isin(own, labels))
    tested, hashes = [asked.positions[row] for row in known], [asked.hashes[row] for row in known]
    facts = describe_classes(data, usable, tested, hashes, labels, asked)
    number = {label: index for index, label in enumerate(labels)}
    calibration, energies = classifier.manifest.calibration, energy(asked.logits)
    learned = set(classifier.manifest.provenance.ancestral_classes)
    temperature = 1.0 if calibration is None else calibration.temperature
    return Evaluation(
        **facts,
        truth=np.asarray([number[label] for label in own[known]], np.int64),
        probabilities=calibrate(asked.logits[known], temperature).astype(np.float32),
        energies=energies[known],
        strange={label: energies[own == label] for label in facts["other_classes"] if label not in learned},
        rule=rule_of(classifier.manifest, threshold=None),
        calibration=calibration,
        balanced=classifier.manifest.provenance.arguments.get("balance") in BALANCED,
        taxonomy=taxonomy,
    )
