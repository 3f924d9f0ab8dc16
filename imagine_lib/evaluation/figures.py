"""The figures of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.pictures import Picture

if TYPE_CHECKING:
    from imagine_lib.evaluation.evaluate import Evaluation


def draw_confusion(evaluation: Evaluation) -> Picture:
    """Draw the confusion matrix, each row as shares of its true class.

    Returns
    -------
    Picture
    """
    from matplotlib.figure import Figure

    matrix = evaluation.confusion
    shares = matrix / matrix.sum(axis=1, keepdims=True).clip(min=1)
    side = 2.5 + 0.45 * len(evaluation.labels)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(evaluation.labels)), evaluation.labels, rotation=60, ha="right", fontsize=8)
    axes.set_yticks(range(len(evaluation.labels)), evaluation.labels, fontsize=8)
    axes.set_xlabel("the model says")
    axes.set_ylabel("it is")
    if len(evaluation.labels) <= 30:
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=7)
    return Picture(figure, f"confusion matrix of {len(evaluation.truth)} images")
