"""The answers of a classifier in columns: many images cost little more than their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, overload

import numpy as np

from imagine_lib.prediction.record import Guess, Prediction
from imagine_lib.prediction.rule import STATUSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageItem
    from imagine_lib.models.calibration import CalibrationImages
    from imagine_lib.prediction.rule import AnswerRule

TOP = 5
"""Guesses that a prediction holds."""


@dataclass(frozen=True, eq=False)
class ClassAnswers(Sequence[Prediction]):
    """A sequence of predictions that are made when they are looked at."""

    images: tuple[ImageItem, ...]
    """Those that could be read."""
    hashes: NDArray[np.uint8]
    """SHA-256 of each image's encoded bytes; shape (n, 32)."""
    probabilities: NDArray[np.float32]
    """Calibrated where the model was; shape (n, classes)."""
    energies: NDArray[np.float64]
    """Higher is stranger; shape (n,)."""
    rule: AnswerRule
    temperature: float = 1.0
    """What the logits were divided by."""
    calibration: CalibrationImages | None = None
    """What the model answered to the images that it was calibrated with."""

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...

    @overload
    def __getitem__(self, index: slice) -> ClassAnswers: ...

    def __getitem__(self, index: int | slice) -> Prediction | ClassAnswers:
        if isinstance(index, slice):
            return replace(
                self,
                images=self.images[index],
                hashes=self.hashes[index],
                probabilities=self.probabilities[index],
                energies=self.energies[index],
            )
        item = self.images[index]
        return Prediction(
            image=item.name,
            sample=self.samples[index],
            status=STATUSES[self.statuses[index]],
            top=self._guesses(self.probabilities[index]),
            sha256=bytes(self.hashes[index]).hex(),
            facts=item.facts,
            content=item.content,
        )

    @cached_property
    def samples(self) -> list[str | None]:
        """The sample of each image; where the set has none, the group that was asked for."""
        return [item.sample or item.group or None for item in self.images]

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The number of the most probable class; shape (n,)."""
        found: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return found

    @cached_property
    def statuses(self) -> NDArray[np.int8]:
        """The position in ``STATUSES``; shape (n,)."""
        return self.rule.statuses(self.probabilities, self.energies)

    def _guesses(self, row: NDArray[np.float32]) -> tuple[Guess, ...]:
        order = np.argsort(-row, kind="stable")[:TOP]
        classes = self.rule.classes
        return tuple(Guess(classes[i].name, round(float(row[i]), 6), classes[i].aphia_id) for i in order)
