"""Retrain a model on labelled images: from a base model and a split to a run with a model package."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from imagine_lib.data.images import content_hash
from imagine_lib.data.loading import Loaded, load_canvases, longer_sides
from imagine_lib.data.preprocessing import make_input_spec
from imagine_lib.data.synthetic import DRAWN
from imagine_lib.errors import DataError, Interrupted, ModelError
from imagine_lib.evaluation.evaluate import evaluate_classifier
from imagine_lib.evaluation.report import Report
from imagine_lib.models.card import write_card
from imagine_lib.models.classifier import Classifier
from imagine_lib.models.network import build_network, describe, load_weights, replace_head
from imagine_lib.models.package import WEIGHTS
from imagine_lib.training.loop import Labelled, Trainer
from imagine_lib.training.progress import EventLog, Watcher, default_watchers
from imagine_lib.training.run import Run
from imagine_lib.wire import (
    Architecture,
    ClassEntry,
    InputSpec,
    ModelManifest,
    ModelStatus,
    Provenance,
    TestMetrics,
)

if TYPE_CHECKING:
    from imagine_lib.data.splits import Split
    from imagine_lib.models.package import ModelPackage
    from imagine_lib.training.recipe import Recipe

RUNS = Path("~/imagine-runs")
DEFAULT_SIZE = 96


def retrain(
    base: ModelPackage | Architecture,
    split: Split,
    recipe: Recipe,
    *,
    name: str,
    base_name: str | None = None,
    folder: Path | None = None,
    device: torch.device,
    watchers: list[Watcher] | None = None,
) -> Run:
    """Train a model for the classes of a split.

    Parameters
    ----------
    base
        The package whose features are kept, or an architecture to begin with random weights.
    split
        The images.
    recipe
        How.
    name
        What the new model is called.
    base_name
        What the base is called.
    folder
        Where the run is kept; by default a new folder in ``~/imagine-runs``.
    device
        Where to compute.
    watchers
        Who is told of the progress; by default a widget or lines, as suits the place.

    Returns
    -------
    Run
        Tested on ``split.test``; the package and the report are in its folder.

    Raises
    ------
    DataError
        Too few of the images can be read.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    folder = folder or (RUNS / started.strftime("%Y%m%d-%H%M%S-%f")).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"The run's folder {folder} cannot be made ({error.strerror}).") from None
    log = EventLog(folder / "events.jsonl", default_watchers() if watchers is None else watchers)
    torch.manual_seed(recipe.seed)

    spec = _input_spec(base, split, recipe)
    train, validation, seen = _load(split, spec, log)
    if not isinstance(base, Architecture):
        seen |= base.seen()
    _require_fresh_images(split, seen)
    manifest = _manifest(base, base_name, split, recipe, spec, train, device)
    classifier = Classifier(_network(base, manifest), manifest)
    log.emit("message", text=f"Training {name} on {len(train.targets)} images of {len(manifest.classes)} classes")
    pretrained = not isinstance(base, Architecture)
    try:
        Trainer(classifier, train, validation, recipe, log, device, pretrained).train()
    except KeyboardInterrupt:
        log.emit("message", text="Stopped before its end: no model was saved.")
        raise Interrupted("the training was stopped before its end, and no model was saved.") from None

    evaluation = evaluate_classifier(classifier, split.test, seen, device)
    manifest.metrics = TestMetrics(
        values={key: round(value, 4) for key, value in evaluation.metrics.items()},
        images=len(evaluation.truth),
        manifest_sha256=evaluation.manifest_sha256,
        grouped=evaluation.grouped,
    )
    manifest.provenance.started, manifest.provenance.seconds = started, round(time.monotonic() - clock, 1)
    card = write_card(name, manifest, f"{len(train.targets)} images of {split.train.source}")
    package = classifier.save(folder / "model", card, seen)
    report = Report(name, manifest.status, split.rule, evaluation)
    report.save(folder / "report.html")
    report.save(folder / "report.json")
    log.emit("message", text=f"Done in {time.monotonic() - clock:.0f} s. On the test images: {report.figures}.")
    return Run(folder, package, report, split, log.events, name)


def _input_spec(base: ModelPackage | Architecture, split: Split, recipe: Recipe) -> InputSpec:
    size = recipe.image_size or (DEFAULT_SIZE if isinstance(base, Architecture) else base.manifest.input.size)
    sides = longer_sides(split.train.items) if recipe.resize == "scale" else []
    if recipe.resize == "scale" and not sides:
        raise DataError(f"None of the training images of {split.train.source} can be read.")
    return make_input_spec(size, recipe.resize, sides)


def _load(split: Split, spec: InputSpec, log: EventLog) -> tuple[Labelled, Labelled, frozenset[str]]:
    classes = {label: index for index, label in enumerate(split.train.classes)}
    parts, seen = [], set()
    for part in (split.train, split.val):
        loaded: Loaded = load_canvases(part.items, spec)
        for message in loaded.errors.values():
            log.emit("message", text=f"Left out: {message}")
        targets = np.asarray([classes[str(part.items[index].label)] for index in loaded.kept], dtype=np.int64)
        parts.append(Labelled(loaded.canvases, targets))
        seen |= set(loaded.hashes)
    if not len(parts[1].targets):
        raise DataError(f"None of the validation images of {split.train.source} can be read.")
    missing = sorted(set(classes) - {split.train.classes[index] for index in parts[0].targets})
    if missing:
        raise DataError(f"Class {missing[0]!r} of {split.train.source} has no training image that can be read.")
    return parts[0], parts[1], frozenset(seen)


def _require_fresh_images(split: Split, seen: frozenset[str]) -> None:
    """Find out before the training, and not after it, that nothing would be left to test with."""
    hashes = {digest for item in split.test.items if (digest := content_hash(item.path))}
    if hashes and hashes <= seen:
        raise DataError(
            f"{split.test.source} holds no image to test with: the model learned from all {len(hashes)} test images, "
            "or from their copies; split with the seed that was used before, or add images."
        )


def _manifest(
    base: ModelPackage | Architecture,
    base_name: str | None,
    split: Split,
    recipe: Recipe,
    spec: InputSpec,
    train: Labelled,
    device: torch.device,
) -> ModelManifest:
    known = [] if isinstance(base, Architecture) else base.manifest.classes
    taxa = {entry.name: entry.aphia_id for entry in known}
    support = np.bincount(train.targets, minlength=len(split.train.classes))
    return ModelManifest(
        architecture=base if isinstance(base, Architecture) else base.manifest.architecture,
        classes=[
            ClassEntry(name=label, aphia_id=taxa.get(label), support=int(count))
            for label, count in zip(split.train.classes, support, strict=True)
        ],
        input=spec,
        status=_status(split.train.classes),
        provenance=Provenance(
            base=base_name,
            base_sha256=None if isinstance(base, Architecture) else base.sha256,
            data_manifest_sha256=split.sha256,
            split_rule=split.rule,
            seed=recipe.seed,
            arguments=recipe.to_dict(),
            code_version=version("imagine-workspace"),
            libraries={library: version(library) for library in ("torch", "torchvision", "numpy", "pillow")},
            hardware=describe(device),
        ),
        files=[],
    )


def _status(classes: list[str]) -> ModelStatus:
    """A model that knows drawn shapes is for demonstration, whoever trained it."""
    drawn = any(label.startswith(DRAWN) for label in classes)
    return ModelStatus.DEMONSTRATION if drawn else ModelStatus.RELEASED


def _network(base: ModelPackage | Architecture, manifest: ModelManifest) -> torch.nn.Module:
    if isinstance(base, Architecture):
        return build_network(base, len(manifest.classes))
    network = build_network(base.manifest.architecture, len(base.manifest.classes))
    load_weights(network, base.folder / WEIGHTS)
    replace_head(network, len(manifest.classes))
    return network
