"""How the images of a training become tensors: the training images alone decide it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.data.depth import value_range
from imagine_lib.data.loading import headers
from imagine_lib.data.preprocessing import make_input_spec
from imagine_lib.errors import DataError
from imagine_lib.wire import Resize, Task

if TYPE_CHECKING:
    from imagine_lib.data.splits import Split
    from imagine_lib.training.recipe import Recipe
    from imagine_lib.training.start import Start
    from imagine_lib.wire import InputSpec

SIZES = {Task.CLASSIFICATION: 96, Task.DETECTION: 320, Task.SEGMENTATION: 256}
"""Side of the canvas where neither the recipe nor the base says, in pixels."""


def choose_input(start: Start, split: Split, recipe: Recipe) -> InputSpec:
    """Decide the preprocessing.

    Raises
    ------
    DataError
        None of the training images can be read.
    """
    task = split.train.task
    base = start.input
    size = recipe.image_size or (base.size if base else SIZES[task])
    found = headers(split.train.items)
    looks = [look for look in found if look is not None]
    if not looks:
        raise DataError(f"None of the training images of {split.train.source} can be read.")
    deep = [item for item, look in zip(split.train.items, found, strict=True) if look is not None and look.deep]
    usual: Resize = "scale" if task == Task.CLASSIFICATION else "pad"
    resize = recipe.resize or (base.resize if base else usual)
    return make_input_spec(size, resize, [max(look.width, look.height) for look in looks], value_range(deep))
