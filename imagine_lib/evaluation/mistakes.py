"""The mistakes that are worth a look: some tell of the model, some of a wrong label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from imagine_lib.data.content import Content
    from imagine_lib.evaluation.evaluate import Evaluation

SHOWN = 12


@dataclass(frozen=True)
class Mistake:
    """An image whose true class the model found improbable."""

    image: str
    truth: str
    answer: str
    probability: float
    """Of the answer."""
    probability_of_truth: float
    content: Content | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {key: value for key, value in vars(self).items() if key != "content"}


def worst_mistakes(evaluation: Evaluation, most: int = SHOWN) -> list[Mistake]:
    """Return the wrong answers whose true class was the least probable, worst first; of equal ones in their order."""
    table, labels = evaluation.probabilities, evaluation.labels
    own = table[np.arange(len(evaluation.truth)), evaluation.truth]
    wrong = np.flatnonzero(evaluation.answers != evaluation.truth)
    return [
        Mistake(
            evaluation.names[row],
            labels[evaluation.truth[row]],
            labels[evaluation.answers[row]],
            float(table[row].max()),
            float(own[row]),
            evaluation.contents[row] if evaluation.contents else None,
        )
        for row in wrong[np.argsort(own[wrong], kind="stable")][:most].tolist()
    ]
