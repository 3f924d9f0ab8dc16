"""The test of a detector: the boxes that it found, beside the true ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from imagine_lib.evaluation.detection import (
    AREAS,
    DetectionMeasures,
    match_detections,
    measure_detections,
    measure_matches,
)
from imagine_lib.evaluation.figures import draw_bars
from imagine_lib.evaluation.grouping import number_groups
from imagine_lib.evaluation.intervals import Bootstrap, Interval
from imagine_lib.evaluation.page import Section, Shown, Table
from imagine_lib.evaluation.sections import OPEN_ROWS, describe_left_out, describe_measures
from imagine_lib.evaluation.tested import Tested
from imagine_lib.evaluation.wording import count, defined, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from imagine_lib.evaluation.detection import ClassMatches, FoundBoxes, TrueBoxes
    from imagine_lib.pictures import Picture

RESAMPLES = 300
"""Each ranks all detections anew, which takes longer than to count answers."""

SIZES = {
    "small": "small: up to 32 x 32 pixels",
    "medium": "medium: up to 96 x 96 pixels",
    "large": "large: from 96 x 96 pixels",
}

MEASURED = ("map", "map_50", "map_75", "recall")


@dataclass(frozen=True, eq=False, kw_only=True)
class DetectionEvaluation(Tested):
    """What a detector found on a test set, and what that is worth. What is expensive is computed once, when asked."""

    truth: Sequence[TrueBoxes]
    """One entry an image."""
    found: Sequence[FoundBoxes]
    """One entry an image, in the same order."""

    @cached_property
    def measures(self) -> DetectionMeasures:
        """Average precision by the rules of COCO."""
        return measure_matches(self._matches, len(self.labels))

    @property
    def metrics(self) -> dict[str, float]:
        """``map``, ``map_50``, ``map_75`` and ``recall``, each in 0..1; none where there is no box to be found."""
        values = dict(zip(MEASURED, _values(self.measures), strict=True))
        return {name: value for name, value in values.items() if not np.isnan(value)}

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """The same, each with its 95 % interval by bootstrap over the groups of images."""
        unit = number_groups(self.groups, len(self.names))

        def measured(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
            by_image = drawn[unit].T
            rows = [_values(measure_matches(self._matches, len(self.labels), times)) for times in by_image]
            return np.array(rows)

        found = Bootstrap(RESAMPLES).resample(measured, int(unit.max()) + 1)
        return {name: one for name, one in zip(MEASURED, found, strict=True) if name in self.metrics}

    @cached_property
    def per_class(self) -> list[dict[str, Any]]:
        """By class: ``average_precision`` (None without a true box), true ``boxes`` and ``detections``."""
        found = self.measures.by_class
        boxes = {label: int(one.wanted.sum()) for label, one in self._matches.items()}
        detections = {label: len(one.image) for label, one in self._matches.items()}
        return [
            {
                "label": label,
                "average_precision": defined(found[number]),
                "boxes": boxes.get(number, 0),
                "detections": detections.get(number, 0),
            }
            for number, label in enumerate(self.labels)
        ]

    @cached_property
    def by_size(self) -> list[dict[str, Any]]:
        """By size of the true box: ``map`` (None without such a box) and ``boxes``."""
        found = {
            size: measure_detections(self.truth, self.found, len(self.labels), size)
            for size in AREAS
            if size != "all"
        }
        return [
            {"size": size, "map": defined(measures.mean), "boxes": measures.boxes} for size, measures in found.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data; what is undefined is None."""
        return {
            "metrics": self.metrics,
            "intervals": {name: interval.to_dict() for name, interval in self.intervals.items()},
            "per_class": self.per_class,
            "by_size": self.by_size,
            **super().to_dict(),
        }

    def figure(self) -> Picture:
        """Return the average precision of each class."""
        precisions = [row["average_precision"] for row in self.per_class]
        return draw_bars(self.labels, precisions, "average precision")

    def sections(self) -> list[Section]:
        """Return what a report says of it."""
        rows = [
            (row["label"], share(row["average_precision"]), f"{row['boxes']:,}", f"{row['detections']:,}")
            for row in self.per_class
        ]
        caption = f"{count(len(rows), 'class', 'classes')}; - where there is no true box"
        head = ("class", "average precision", "true boxes", "detections")
        table = Table(head, rows, caption, folded=len(rows) > OPEN_ROWS)
        sizes = [(SIZES[row["size"]], share(row["map"]), f"{row['boxes']:,}") for row in self.by_size]
        by_size = Table(("size", "mAP", "true boxes"), sizes, "By size; - where there is no true box")
        return [
            Section("How well it finds", describe_measures(self, self.intervals)),
            Section("Class by class", [Shown(self.figure(), "Average precision over ten overlaps."), table]),
            Section("Small and large", [by_size]),
            Section("What was left out", describe_left_out(self)),
        ]

    @cached_property
    def _matches(self) -> dict[int, ClassMatches]:
        return match_detections(self.truth, self.found, len(self.labels))


def _values(measures: DetectionMeasures) -> tuple[float, float, float, float]:
    return measures.mean, measures.at_50, measures.at_75, measures.recall
