"""The test of a segmentation: the pixels of each class, beside the true ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from imagine_lib.evaluation.figures import draw_confusion
from imagine_lib.evaluation.grouping import number_groups
from imagine_lib.evaluation.intervals import Bootstrap, Interval
from imagine_lib.evaluation.page import Section, Shown, Table
from imagine_lib.evaluation.sections import OPEN_ROWS, describe_left_out, describe_measures
from imagine_lib.evaluation.segmentation import MaskMeasures, measure_masks
from imagine_lib.evaluation.tested import Tested
from imagine_lib.evaluation.wording import count, defined, share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imagine_lib.pictures import Picture

MEASURED = ("mean_iou", "mean_dice", "pixel_accuracy")


@dataclass(frozen=True, eq=False, kw_only=True)
class SegmentationEvaluation(Tested):
    """What a segmentation model answered on a test set, and what that is worth."""

    confusions: NDArray[np.int64]
    """Shape (images, classes, classes): of each image, from
    :func:`~imagine_lib.evaluation.segmentation.mask_confusion`, so that no mask is kept."""

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Pixels of all images together, shape (classes, classes): rows are the truth, columns the answers."""
        return np.asarray(self.confusions.sum(axis=0))

    @cached_property
    def measures(self) -> MaskMeasures:
        """IoU and Dice over the pixels of all images together."""
        return measure_masks(self.confusion)

    @property
    def metrics(self) -> dict[str, float]:
        """``mean_iou``, ``mean_dice`` and ``pixel_accuracy``, each in 0..1; none where no pixel was measured."""
        values = dict(zip(MEASURED, _values(self.measures).tolist(), strict=True))
        return {name: value for name, value in values.items() if not np.isnan(value)}

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """The same, each with its 95 % interval by bootstrap over the groups of images."""
        unit, classes = number_groups(self.groups, len(self.names)), len(self.labels)
        tables = np.zeros((int(unit.max()) + 1, classes * classes), np.int64)
        np.add.at(tables, unit, self.confusions.reshape(len(unit), -1))

        def measured(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
            return _values(measure_masks((drawn.T @ tables).reshape(-1, classes, classes)))

        found = Bootstrap().resample(measured, len(tables))
        return {name: one for name, one in zip(MEASURED, found, strict=True) if name in self.metrics}

    @cached_property
    def per_class(self) -> list[dict[str, Any]]:
        """By class: ``iou`` and ``dice`` (None for one that neither truth nor answers have) and true ``pixels``."""
        found = self.measures
        return [
            {
                "label": label,
                "iou": defined(found.iou[number]),
                "dice": defined(found.dice[number]),
                "pixels": int(found.pixels[number]),
            }
            for number, label in enumerate(self.labels)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data; what is undefined is None."""
        return {
            "metrics": self.metrics,
            "intervals": {name: interval.to_dict() for name, interval in self.intervals.items()},
            "per_class": self.per_class,
            "confusion": {"labels": self.labels, "matrix": self.confusion.tolist()},
            **super().to_dict(),
        }

    def figure(self) -> Picture:
        """Return the confusion matrix of the pixels."""
        return draw_confusion(self.labels, self.confusion, "pixels")

    def sections(self) -> list[Section]:
        """Return what a report says of it."""
        rows = [(row["label"], share(row["iou"]), share(row["dice"]), f"{row['pixels']:,}") for row in self.per_class]
        caption = f"{count(len(rows), 'class', 'classes')}; - for one that is nowhere"
        table = Table(("class", "IoU", "Dice", "true pixels"), rows, caption, folded=len(rows) > OPEN_ROWS)
        said = "Rows: what the pixels are. Columns: what the model says. Darker: a larger share of the true class."
        return [
            Section("How well it outlines", describe_measures(self, self.intervals)),
            Section("Class by class", [table]),
            Section("Which classes it confuses", [Shown(self.figure(), said)]),
            Section("What was left out", describe_left_out(self)),
        ]


def _values(measures: MaskMeasures) -> NDArray[np.float64]:
    return np.stack([measures.mean_iou, measures.mean_dice, measures.accuracy], axis=-1)
