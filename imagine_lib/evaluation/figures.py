"""The figures of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.pictures import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from imagine_lib.evaluation.calibration import ReliabilityBin

COUNTED = 25
"""Classes up to which a confusion matrix has its counts written in."""

LONGEST = 28
"""Characters of a class name in a figure."""

BLUE, GREY = "#1d6a8f", "#6b7f89"


def draw_confusion(labels: Sequence[str], confusion: NDArray[np.int64], unit: str) -> Picture:
    """Draw a confusion matrix, each row as shares of its true class; classes that do not occur are left out.

    Parameters
    ----------
    labels
        The classes, by number.
    confusion
        Shape (classes, classes): rows are the truth, columns the answers.
    unit
        What was counted, such as ``images``.

    Returns
    -------
    Picture
    """
    from matplotlib.figure import Figure

    occurring = np.flatnonzero(confusion.sum(axis=0) + confusion.sum(axis=1)).tolist()
    matrix = confusion[np.ix_(occurring, occurring)]
    shares = matrix / matrix.sum(axis=1, keepdims=True).clip(min=1)
    count = len(occurring)
    side, size = (2.6 + 0.42 * count, 8) if count <= COUNTED else (3 + 0.16 * count, 7)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [short(labels[number]) for number in occurring]
    axes.set_xticks(range(count), names, rotation=90 if count > 6 else 45, fontsize=size, parse_math=False)
    axes.set_yticks(range(count), names, fontsize=size, parse_math=False)
    axes.set_xlabel("the model says")
    axes.set_ylabel("it is")
    if count <= COUNTED:
        for (row, column), number in np.ndenumerate(matrix):
            if number:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, f"{number:,}", ha="center", va="center", color=colour, fontsize=7)
    return Picture(figure, f"confusion matrix of {int(matrix.sum()):,} {unit}")


def draw_reliability(bins: Sequence[ReliabilityBin]) -> Picture:
    """Draw the share of right answers by how sure the model was, with 95 % Wilson intervals.

    Returns
    -------
    Picture
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 4.0), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
    sure, right = [row.confidence for row in bins], [row.accuracy for row in bins]
    below = [max(0.0, row.accuracy - row.low) for row in bins]
    above = [max(0.0, row.high - row.accuracy) for row in bins]
    axes.errorbar(sure, right, yerr=[below, above], fmt="o", color=BLUE, markersize=4, elinewidth=1)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("how sure the model is of its answer")
    axes.set_ylabel("share of right answers")
    return Picture(figure, f"share of right answers in {len(bins)} groups of answers of similar probability")


def draw_bars(labels: Sequence[str], values: Sequence[float | None], what: str) -> Picture:
    """Draw one bar a class; None where there is nothing to draw.

    Parameters
    ----------
    labels
        The classes.
    values
        One a class, each in 0..1.
    what
        What is drawn, for the axis.

    Returns
    -------
    Picture
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 1.1 + 0.24 * len(labels)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(range(len(labels)), [value or 0 for value in values], color=BLUE)
    axes.set_yticks(range(len(labels)), [short(label) for label in labels], fontsize=8, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel(what)
    return Picture(figure, f"{what} of {len(labels)} classes")


def short(label: str) -> str:
    """Return a class name as a figure can hold it: in one line, not too long, nothing in it that cannot be drawn."""
    text = "".join(character if character.isprintable() else " " for character in label)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
