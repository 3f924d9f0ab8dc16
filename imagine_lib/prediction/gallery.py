"""A figure of images with what a model says of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.data.images import decode
from imagine_lib.pictures import Picture
from imagine_lib.wire import ModelStatus

if TYPE_CHECKING:
    from imagine_lib.prediction.record import Predictions


def draw_gallery(predictions: Predictions, rows: int, columns: int) -> Picture:
    """Draw the first ``rows * columns`` images; see :meth:`Predictions.show`."""
    from matplotlib.figure import Figure

    shown = list(zip(predictions.items, predictions.paths, strict=True))[: rows * columns]
    height = -(-len(shown) // columns) or 1
    figure = Figure(figsize=(2 * columns, 2.3 * height), layout="constrained")
    if predictions.model_status == ModelStatus.DEMONSTRATION:
        figure.suptitle("demonstration model: drawn shapes, no living thing", fontsize=9)
    for index, (item, path) in enumerate(shown, start=1):
        axes = figure.add_subplot(height, columns, index)
        axes.imshow(decode(path).pixels)
        axes.set_axis_off()
        axes.set_title(f"{item.label}\n{item.probability:.0%}", fontsize=8)
    return Picture(figure, f"{len(shown)} images with what {predictions.model} says of them")
