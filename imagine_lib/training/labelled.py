"""The images of a classification, decoded: canvases with the numbers of their classes and groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.data.loading import load_canvases
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageSet
    from imagine_lib.data.loading import Canvases
    from imagine_lib.data.splits import Split
    from imagine_lib.training.progress import EventLog
    from imagine_lib.wire import InputSpec


@dataclass(frozen=True)
class Labelled:
    """Canvases with the numbers of their classes."""

    canvases: Canvases
    targets: NDArray[np.int64]
    """Shape (n,)."""
    groups: NDArray[np.int64]
    """Images of one group have the same number; without groups each has its own; shape (n,)."""
    names: list[str]
    """How the user knows each image."""
    hashes: frozenset[str]
    """SHA-256 of the images."""

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class LabelledParts:
    """What a training reads; it never sees the test images."""

    train: Labelled
    select: Labelled
    calibrate: Labelled

    @property
    def seen(self) -> frozenset[str]:
        """Hashes of all images."""
        return self.train.hashes | self.select.hashes | self.calibrate.hashes


def read_parts(split: Split, spec: InputSpec, log: EventLog) -> LabelledParts:
    """Decode what a training learns, selects and calibrates with.

    Raises
    ------
    DataError
        A class has no training image that can be read, or there is none to select with.
    """
    classes = split.train.classes
    train = _read(split.train, classes, spec, log)
    if missing := sorted(set(classes) - {classes[target] for target in train.targets}):
        raise DataError(f"Class {missing[0]!r} of {split.train.source} has no training image that can be read.")
    select = _read(split.select, classes, spec, log)
    if not len(select):
        raise DataError(f"None of the images of {split.train.source} to choose the best epoch with can be read.")
    calibrate = select if split.merged else _read(split.calibrate, classes, spec, log)
    if not len(calibrate):
        raise DataError(f"None of the images of {split.train.source} to calibrate with can be read.")
    return LabelledParts(train, select, calibrate)


def _read(part: ImageSet, classes: list[str], spec: InputSpec, log: EventLog) -> Labelled:
    numbers = {label: number for number, label in enumerate(classes)}
    usable = [index for index, item in enumerate(part.items) if item.label in numbers]
    if len(usable) < len(part):
        log.emit("message", text=f"Left out: {len(part) - len(usable)} images of classes without training images.")
    part = part.subset(usable)
    loaded = load_canvases(part.items, spec, log.reading)
    for message in loaded.errors.values():
        log.emit("message", text=f"Left out: {message}")
    items = [part.items[index] for index in loaded.kept]
    targets = np.asarray([numbers[str(item.label)] for item in items], dtype=np.int64)
    keys = [item.name if item.group is None else item.group for item in items]
    groups = np.unique(np.asarray(keys, dtype=np.str_), return_inverse=True)[1].astype(np.int64)
    return Labelled(loaded.canvases, targets, groups, [item.name for item in items], frozenset(loaded.hashes))
