"""Retrain a model on labelled images: from a base model and a split to a run with a model package."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from imagine_lib.data.loading import headers
from imagine_lib.errors import DataError, Interrupted, ModelError, UsageError
from imagine_lib.evaluation.report import Report
from imagine_lib.hardware import keeping_freed_memory
from imagine_lib.models.card import write_card
from imagine_lib.models.families import require_task
from imagine_lib.training.batches import choose_batch_size
from imagine_lib.training.checkpoint import has_checkpoint
from imagine_lib.training.input import choose_input
from imagine_lib.training.loop import Trainer
from imagine_lib.training.preview import keep_preview, remove_preview
from imagine_lib.training.progress import EventLog, Watcher, default_watchers
from imagine_lib.training.provenance import describe_training, test_metrics
from imagine_lib.training.run import Run
from imagine_lib.training.tasks import make_objective

if TYPE_CHECKING:
    from imagine_lib.data.splits import Split
    from imagine_lib.training.recipe import Recipe
    from imagine_lib.training.start import Start

RUNS = Path("~/imagine-runs")
PACKAGE = "model"


def retrain(
    start: Start,
    split: Split,
    recipe: Recipe,
    *,
    name: str,
    folder: Path | None = None,
    device: torch.device,
    watchers: list[Watcher] | None = None,
) -> Run:
    """Train a model for the classes of a split.

    Parameters
    ----------
    start
        What the training begins with: a model whose features are kept, or a network of torchvision's.
    split
        The images.
    recipe
        How.
    name
        What the new model is called.
    folder
        Where the run is kept; by default a new folder in ``~/imagine-runs``. In the folder of a training that did
        not reach its end, it goes on.
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
    UsageError
        The folder holds a training that has reached its end, or the network is made for another task.
    ModelError
        The training cannot go on, or the disk is full.
    Interrupted
        The user stopped it.
    """
    folder = _make_folder(folder or (RUNS / datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")).expanduser())
    log = EventLog(folder / "events.jsonl", default_watchers() if watchers is None else watchers)
    try:
        with keeping_freed_memory(), torch.random.fork_rng(_gpus(device), device_type="cuda"):
            return _retrain(start, split, recipe, name, folder, device, log)
    except KeyboardInterrupt:
        log.emit("message", text="Stopped before its end.")
        raise Interrupted(
            f"the training was stopped before its end; retrain with folder={str(folder)!r} to go on from there."
        ) from None


def _retrain(
    start: Start, split: Split, recipe: Recipe, name: str, folder: Path, device: torch.device, log: EventLog
) -> Run:
    clock = time.monotonic()
    require_task(start.architecture.builder, split.train.task)
    _require_fresh_images(split, start.seen())
    spec = choose_input(start, split, recipe)
    start = start.at(spec.size)
    objective = make_objective(split, spec, recipe, device, log)
    seen = objective.seen | start.seen()
    _require_fresh_images(split, seen)
    manifest = describe_training(start, split, recipe, spec, objective.support, device)
    torch.manual_seed(recipe.seed)
    network = start.build(manifest).to(device)
    log.emit("message", text=f"Training {name} on {len(objective)} images of {len(manifest.classes)} classes.")
    trainer = Trainer(
        network,
        objective,
        recipe,
        batch_size=lambda: recipe.batch_size or choose_batch_size(network, spec, len(objective), device),
        folder=folder,
        log=log,
        device=device,
        pretrained=start.pretrained,
        origin={
            "split": split.sha256,
            "base model": start.sha256,
            "network": manifest.architecture.model_dump(),
            "list of classes": [entry.name for entry in manifest.classes],
            "preprocessing": spec.hash,
        },
    )
    clock -= trainer.standing.seconds  # the sessions before count too
    if start.pretrained and recipe.head_first and not trainer.resumed and (preview := objective.begin(network)):
        keep_preview(preview, network, manifest, seen, folder, log)
    standing = trainer.train()
    log.emit("end", epochs=standing.epoch - 1, best_epoch=standing.best_epoch)
    if standing.epoch <= recipe.epochs:
        log.emit("message", text=f"Nothing became better for {recipe.patience} epochs: the best of before is kept.")
    manifest.provenance.arguments |= {"batch_size": standing.batch_size, "halved": standing.halved}
    finished = objective.finish(network, manifest, split.test, seen)
    manifest.metrics = test_metrics(finished.evaluation)
    manifest.provenance.started = datetime.fromisoformat(standing.started)
    manifest.provenance.seconds = round(time.monotonic() - clock, 1)
    card = write_card(name, manifest, f"{len(objective)} images of {split.train.source}")
    package = finished.model.save(folder / PACKAGE, card, seen, finished.files)
    report = Report(name, manifest.status, split.rule, finished.evaluation, split.warnings)
    _save_report(report, folder)
    trainer.forget()
    remove_preview(folder)
    log.emit("message", text=f"Done in {time.monotonic() - clock:.0f} s. On the test images: {report.figures}.")
    return Run(folder, package, report, split, log.events, name)


def _save_report(report: Report, folder: Path) -> None:
    try:
        report.save(folder / "report.html")
        report.save(folder / "report.json")
    except OSError as error:
        raise ModelError(
            f"The report in {folder} could not be written ({error.strerror}): free some disk space and retrain into "
            "the same folder, which goes on from the end of the training."
        ) from None


def _gpus(device: torch.device) -> list[int]:
    """Return the GPUs whose random numbers a training on a device takes."""
    return list(range(torch.cuda.device_count())) if device.type == "cuda" else []


def _make_folder(folder: Path) -> Path:
    if (folder / PACKAGE).exists() and not has_checkpoint(folder):
        raise UsageError(
            f"{folder} holds a training that has reached its end: choose another folder, or remove this one first."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"The run's folder {folder} cannot be made ({error.strerror}).") from None
    return folder


def _require_fresh_images(split: Split, seen: frozenset[str]) -> None:
    """Find out before the training, and not after it, that nothing would be left to test with."""
    hashes = {look.sha256 for look in headers(split.test.items) if look is not None}
    if not hashes:
        raise DataError(f"None of the test images of {split.test.source} can be read.")
    if hashes <= seen:
        raise DataError(
            f"{split.test.source} holds no image to test with: the model learned from all {len(hashes)} test images, "
            "or from their copies; split with the seed that was used before, or add images."
        )
