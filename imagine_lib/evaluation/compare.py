"""Two models on the same images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from imagine_lib.errors import DataError
from imagine_lib.evaluation.grouping import number_groups
from imagine_lib.evaluation.intervals import FEWEST_GROUPS, Bootstrap, Interval, without_interval
from imagine_lib.evaluation.measures import accuracy, class_f1, confusion_matrix, macro_f1
from imagine_lib.evaluation.tested import Asked, Tested, ask, describe_classes

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageSet
    from imagine_lib.models.classifier import Classifier

VERDICTS = {1: "better", -1: "worse", 0: "not told apart"}
"""Of the second model, by the side of 0 on which the interval of the difference lies."""

TOO_FEW = "too few groups"
"""The verdict on a class that fewer groups hold than an interval needs."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison(Tested):
    """The same images, two models, the classes that both know and the images that neither learned from.

    Both models are measured on each resample of the groups, so the interval is that of their difference: they may
    differ for certain though the interval of each alone holds the other's number.
    """

    truth: NDArray[np.int64]
    """Shape (images,): numbers of the shared classes."""
    first: NDArray[np.int64]
    """What the first model answered, shape (images,); one more than the last class where it is none of these."""
    second: NDArray[np.int64]

    @property
    def left_out(self) -> int:
        """Images that were not compared."""
        return self.excluded + len(self.failures) + self.unlabelled + sum(self.other_classes.values())

    @property
    def accuracy(self) -> Interval:
        """The second model's accuracy minus the first's."""
        return self._differences[0]

    @property
    def macro_f1(self) -> Interval:
        """The second model's macro-F1 minus the first's."""
        return self._differences[1]

    @cached_property
    def per_class(self) -> list[dict[str, Any]]:
        """By shared class of which there are images: F1 of both, the difference with its interval, and a verdict."""
        before, after = (class_f1(self._confusion(answers)) for answers in (self.first, self.second))
        groups = self._groups_by_class
        return [
            {
                "label": label,
                "support": int((self.truth == number).sum()),
                "first": float(before[number]),
                "second": float(after[number]),
                "difference": difference.estimate,
                "low": difference.low,
                "high": difference.high,
                "verdict": VERDICTS[difference.side] if groups[number] >= FEWEST_GROUPS else TOO_FEW,
            }
            for number, (label, difference) in enumerate(zip(self.labels, self._differences[2:], strict=False))
            if not np.isnan(difference.estimate)
        ]

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Accuracy and macro-F1 of the ``first`` and of the ``second`` model."""
        return {"first": self._metrics(self.first), "second": self._metrics(self.second)}

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row a shared class, the largest gain first; columns as in :attr:`per_class`."""
        import pandas as pd

        frame = pd.DataFrame(self.per_class)
        return frame.sort_values("difference", ascending=False, kind="stable", ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, as ``imagine compare --json`` prints it."""
        return {
            "classes": self.labels,
            "metrics": self.metrics,
            "differences": {"accuracy": self.accuracy.to_dict(), "macro_f1": self.macro_f1.to_dict()},
            "per_class": self.per_class,
            **super().to_dict(),
        }

    def __repr__(self) -> str:
        one, two = (values["accuracy"] for values in self.metrics.values())
        gain = self.accuracy
        span = gain.reason if gain.low is None else f"95 % interval {gain.low:+.3f} to {gain.high:+.3f}"
        return f"<Comparison on {len(self.truth)} images: accuracy {one:.3f} -> {two:.3f} ({span})>"

    def _repr_html_(self) -> str:
        from imagine_lib.evaluation.page import render
        from imagine_lib.evaluation.sections import describe_comparison

        return render("Comparison of two models", describe_comparison(self), level=2)

    @cached_property
    def _differences(self) -> list[Interval]:
        """Of accuracy, macro-F1, and F1 of each class: for a class that few groups hold without an interval."""
        found = Bootstrap().measure_difference(
            _all_measures, self.truth, self.first, self.second, self.groups, len(self.labels) + 1
        )
        return found[:2] + [
            one if count >= FEWEST_GROUPS else without_interval(one, count)
            for one, count in zip(found[2:], [*self._groups_by_class, 0], strict=True)
        ]

    @cached_property
    def _groups_by_class(self) -> list[int]:
        """How many groups hold images of each shared class."""
        pairs = np.unique(np.stack([self.truth, number_groups(self.groups, len(self.truth))]), axis=1)
        return [int(count) for count in np.bincount(pairs[0], minlength=len(self.labels))]

    def _confusion(self, answers: NDArray[np.int64]) -> NDArray[np.int64]:
        return confusion_matrix(self.truth, answers, len(self.labels) + 1)

    def _metrics(self, answers: NDArray[np.int64]) -> dict[str, float]:
        confusion = self._confusion(answers)
        return {"accuracy": float(accuracy(confusion)), "macro_f1": float(macro_f1(confusion))}


def compare_classifiers(
    first: Classifier, second: Classifier, data: ImageSet, seen: frozenset[str], device: torch.device
) -> Comparison:
    """Test two models on the images of the classes that both know.

    Parameters
    ----------
    first, second
        The models. An answer that is none of the shared classes counts as wrong.
    data
        Images with labels.
    seen
        Content hashes of the images that either learned from.
    device
        Where to compute.

    Returns
    -------
    Comparison

    Raises
    ------
    DataError
        The models share no class that the images have, or no image is left.
    """
    usable, shared = data.labelled, sorted(set(first.labels) & set(second.labels))
    if not set(usable.classes) & set(shared):
        raise DataError(f"The two models share no class with images in {data.source}: there is nothing to compare.")
    one, two = (ask(model, usable.items, seen, device) for model in (first, second))
    common = sorted(set(one.positions) & set(two.positions))
    tested = [place for place in common if usable.items[place].label in shared]
    digests = dict(zip(one.positions, one.hashes, strict=True))
    facts = describe_classes(data, usable, tested, [digests[place] for place in tested], shared, one)
    number = {label: index for index, label in enumerate(shared)}
    return Comparison(
        **facts,
        truth=np.asarray([number[str(usable.items[place].label)] for place in tested], np.int64),
        first=_answers(first, one, tested, number),
        second=_answers(second, two, tested, number),
    )


def _answers(model: Classifier, asked: Asked, tested: list[int], number: dict[str, int]) -> NDArray[np.int64]:
    """Return the number of the shared class that each tested image was given."""
    rows = np.searchsorted(asked.positions, tested)
    numbers = np.asarray([number.get(label, len(number)) for label in model.labels], np.int64)
    return np.asarray(numbers[asked.logits[rows].argmax(axis=1)])


def _all_measures(confusion: NDArray[Any]) -> NDArray[np.float64]:
    overall = np.stack([accuracy(confusion), macro_f1(confusion)], axis=-1)
    return np.concatenate([overall, class_f1(confusion)], axis=-1)
