"""A figure of images with what a model says of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.data.images import decode
from imagine_lib.pictures import Picture
from imagine_lib.wire import ModelStatus

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from imagine_lib.prediction.record import Prediction, Predictions


def draw_gallery(predictions: Predictions, rows: int, columns: int) -> Picture:
    """Draw the first ``rows * columns`` images; see :meth:`Predictions.show`."""
    from matplotlib.figure import Figure

    shown = [item for item in predictions.items[: rows * columns] if item.content is not None]
    height = -(-len(shown) // columns) or 1
    figure = Figure(figsize=(2 * columns, 2.3 * height), layout="constrained")
    if predictions.model_status == ModelStatus.DEMONSTRATION:
        figure.suptitle("demonstration model: drawn shapes, no living thing", fontsize=9)
    for index, item in enumerate(shown, start=1):
        _draw(figure.add_subplot(height, columns, index), item)
    return Picture(figure, f"{len(shown)} images with what {predictions.model} says of them")


def _draw(axes: Axes, item: Prediction) -> None:
    from matplotlib.patches import Rectangle

    assert item.content is not None
    pixels = decode(item.content).pixels
    axes.imshow(pixels, cmap="gray" if pixels.shape[2] == 1 else None)
    axes.set_axis_off()
    for found in item.found:
        x, y, width, height = found.box
        axes.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor="tab:orange"))
    title = f"{item.label}\n{item.probability:.0%}" if item.label else "nothing found"
    axes.set_title(title.replace("$", r"\$"), fontsize=8)
