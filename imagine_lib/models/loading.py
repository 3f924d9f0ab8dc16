"""From a package to the model that suits its task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.errors import ModelError
from imagine_lib.models.classifier import Classifier
from imagine_lib.models.detector import Detector
from imagine_lib.models.families import task_of
from imagine_lib.models.saving import read_network
from imagine_lib.models.segmenter import Segmenter
from imagine_lib.wire import Task

if TYPE_CHECKING:
    from imagine_lib.models.package import ModelPackage

KINDS: dict[Task, type[Classifier | Detector | Segmenter]] = {
    Task.CLASSIFICATION: Classifier,
    Task.DETECTION: Detector,
    Task.SEGMENTATION: Segmenter,
}


def load_network_model(package: ModelPackage) -> Classifier | Detector | Segmenter:
    """Build the network of a package and fill it with its weights.

    Raises
    ------
    ModelError
        The network cannot be built, is made for another task than the package's, or the weights are not its own.
    """
    manifest = package.manifest
    if task_of(manifest.architecture.builder) != manifest.task:
        raise ModelError(
            f"{package.folder} says that {manifest.architecture.builder} is made for {manifest.task.value}, which it "
            "is not: get the package again."
        )
    return KINDS[manifest.task](read_network(package), manifest)
