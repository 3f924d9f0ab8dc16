"""Checkpoints: where a training stands, on disk, so that whatever ends it costs minutes at most.

One safetensors file holds every tensor; what is no tensor is JSON in its header. It is replaced whole, and the one
before is kept beside it, so that a damaged file costs one checkpoint and not the training.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from imagine_lib.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

LATEST = "checkpoint.safetensors"
BEFORE = "checkpoint-before.safetensors"
WRITING = ".writing.safetensors"
"""What a killed process leaves of one is overwritten by the next."""

FACTS = "facts"


@dataclass(frozen=True)
class Checkpoint:
    """Where a training stands."""

    tensors: dict[str, torch.Tensor]
    facts: dict[str, Any]
    """Plain data: epoch, step, scores, recipe."""


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace a run's checkpoint.

    Parameters
    ----------
    folder
        The run's.
    checkpoint
        Its tensors may be on any device; none may share memory with another.

    Raises
    ------
    ModelError
        The disk is full or cannot be written; the checkpoints that were there are still there.
    """
    writing = folder / WRITING
    try:
        tensors = {key: value.detach().cpu().contiguous() for key, value in checkpoint.tensors.items()}
        save_file(tensors, writing, {FACTS: json.dumps(checkpoint.facts)})
        _sync(writing)
        if (folder / LATEST).exists():
            (folder / LATEST).replace(folder / BEFORE)
        writing.replace(folder / LATEST)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"The checkpoint in {folder} could not be written ({error}): free some disk space and retrain into the "
            "same folder, which goes on from the last one."
        ) from None
    finally:
        with suppress(OSError):
            writing.unlink(missing_ok=True)


def has_checkpoint(folder: Path) -> bool:
    """Tell whether a run has a checkpoint, even one that cannot be read."""
    return any((folder / name).exists() for name in (LATEST, BEFORE))


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """Return a run's newest checkpoint that can be read; None where there is none."""
    for name in (LATEST, BEFORE):
        try:
            with safe_open(folder / name, framework="pt") as file:
                facts = json.loads(file.metadata()[FACTS])
                return Checkpoint({key: file.get_tensor(key) for key in file.keys()}, facts)  # noqa: SIM118
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            continue
    return None


def remove_checkpoints(folder: Path) -> None:
    """Remove a run's checkpoints, and what a killed process left of one: its model package has made them useless."""
    for name in (LATEST, BEFORE, WRITING):
        (folder / name).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until the disk has it: a rename can reach the disk before what it renames."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
