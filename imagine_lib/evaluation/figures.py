"""The figures of a report."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from imagine_lib.evaluation.evaluate import Evaluation


def draw_confusion(evaluation: Evaluation) -> Any:
    """Draw the confusion matrix, each row as shares of its true class.

    Returns
    -------
    matplotlib.figure.Figure
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
    return figure


def to_data_uri(figure: Any) -> str:
    """Return a figure as a PNG that stands inside an HTML page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
