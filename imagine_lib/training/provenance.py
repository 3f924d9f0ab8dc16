"""What a model package says of where the model comes from."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from imagine_lib.data.synthetic import DRAWN
from imagine_lib.models.network import describe
from imagine_lib.wire import MEASURES, ClassEntry, ModelManifest, ModelStatus, Provenance, TestMetrics

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from imagine_lib.data.splits import Split
    from imagine_lib.evaluation.report import Result
    from imagine_lib.training.recipe import Recipe
    from imagine_lib.training.start import Start
    from imagine_lib.wire import InputSpec

LIBRARIES = ("torch", "torchvision", "numpy", "pillow")


def describe_training(
    start: Start,
    split: Split,
    recipe: Recipe,
    spec: InputSpec,
    support: NDArray[np.int64],
    device: torch.device,
) -> ModelManifest:
    """Return the manifest of a model that is about to be trained; what only the training can tell is added later."""
    taxa = {entry.name: entry.aphia_id for entry in start.classes} | dict(split.train.taxa)
    return ModelManifest(
        task=split.train.task,
        architecture=start.architecture,
        classes=[
            ClassEntry(name=label, aphia_id=taxa.get(label), support=int(count))
            for label, count in zip(split.train.classes, support, strict=True)
        ],
        input=spec,
        status=_status(split.train.classes),
        provenance=Provenance(
            base=start.name,
            base_sha256=start.sha256,
            ancestral_classes=start.ancestral_classes,
            data_manifest_sha256=split.sha256,
            split_rule=split.rule,
            seed=recipe.seed,
            arguments=recipe.to_dict(),
            code_version=version("imagine-workspace"),
            libraries={library: version(library) for library in LIBRARIES},
            hardware=describe(device),
        ),
        files=[],
    )


def test_metrics(evaluation: Result) -> TestMetrics:
    """Return what a test found, as a manifest keeps it."""
    return TestMetrics(
        values={key: round(value, 4) for key, value in evaluation.metrics.items() if key in MEASURES},
        images=len(evaluation.names),
        manifest_sha256=evaluation.manifest_sha256,
        grouped=evaluation.grouped,
    )


def _status(classes: list[str]) -> ModelStatus:
    """A model that knows drawn shapes is for demonstration, whoever trained it."""
    drawn = any(label.startswith(DRAWN) for label in classes)
    return ModelStatus.DEMONSTRATION if drawn else ModelStatus.RELEASED
