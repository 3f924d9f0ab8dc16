"""The objective that suits what is to be learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.training.classification import Classification
from imagine_lib.training.detection import Detection
from imagine_lib.training.labelled import read_parts
from imagine_lib.training.segmentation import Segmentation
from imagine_lib.wire import Task

if TYPE_CHECKING:
    import torch

    from imagine_lib.data.splits import Split
    from imagine_lib.training.objective import Objective
    from imagine_lib.training.progress import EventLog
    from imagine_lib.training.recipe import Recipe
    from imagine_lib.wire import InputSpec


def make_objective(split: Split, spec: InputSpec, recipe: Recipe, device: torch.device, log: EventLog) -> Objective:
    """Decode the images of a split for its task.

    Raises
    ------
    DataError
        Too few of them can be read.
    """
    match split.train.task:
        case Task.DETECTION:
            return Detection(split, spec, recipe, device, log)
        case Task.SEGMENTATION:
            return Segmentation(split, spec, recipe, device, log)
    return Classification(read_parts(split, spec, log), len(split.train.classes), spec, recipe, device)
