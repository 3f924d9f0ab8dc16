"""The images that a model is tested with, and those that are left out, with the reason for each."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from imagine_lib.data.loading import load_canvases
from imagine_lib.errors import DataError
from imagine_lib.prediction.progress import shown
from imagine_lib.prediction.record import Failure

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from imagine_lib.data.content import Content
    from imagine_lib.data.imageset import ImageItem, ImageSet
    from imagine_lib.data.loading import Progress
    from imagine_lib.models.classifier import Classifier

AT_ONCE = 512
"""Images that are answered between two words on how far it is: a batch of a GPU, or several of a processor."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Tested:
    """Which images were tested; what a model answered to them is added by each kind of test."""

    labels: list[str]
    """The classes, by number."""
    names: list[str]
    """How the user knows each image."""
    groups: list[str]
    """The group of each image; its own name where it has none."""
    grouped: bool
    """Whether the images have groups."""
    manifest_sha256: str
    """Hash of the test set: of the content hashes and labels of its images."""
    contents: Sequence[Content] = ()
    """Where the bytes of each image lie, for pictures."""
    excluded: int = 0
    """Images left out because the model or an ancestor learned from them."""
    failures: list[Failure] = field(default_factory=list)
    """Images left out because they cannot be read."""
    unlabelled: int = 0
    """Images left out because nothing says what is on them."""
    other_classes: Mapping[str, int] = field(default_factory=dict)
    """Images left out by their class, which cannot be answered."""

    @property
    def group_count(self) -> int:
        """How many groups the images come from."""
        return len(set(self.groups))

    def to_dict(self) -> dict[str, Any]:
        """Return what was tested and what was left out, as plain data."""
        return {
            "test": {
                "images": len(self.names),
                "excluded_as_seen": self.excluded,
                "manifest_sha256": self.manifest_sha256,
                "grouped": self.grouped,
                "groups": self.group_count,
            },
            "left_out": {"unlabelled": self.unlabelled, "other_classes": dict(self.other_classes)},
            "errors": [{"image": failure.image, "message": failure.message} for failure in self.failures],
        }


@dataclass(frozen=True, eq=False)
class Asked:
    """What came of asking a classifier about labelled images."""

    positions: list[int]
    """Of the images that could be read and that it had not learned from."""
    hashes: list[str]
    """Content hash of each of these."""
    logits: NDArray[np.float32]
    """Shape (these images, classes)."""
    seen: list[int]
    """Positions of the images that the model or an ancestor learned from."""
    errors: dict[int, str]
    """One sentence for each position that cannot be read."""


def ask(
    classifier: Classifier,
    items: Sequence[ImageItem],
    seen: frozenset[str],
    device: torch.device,
    progress: Progress | None = None,
) -> Asked:
    """Ask a classifier about the images that it has not learned from.

    Takes float32 logits for each image; the decoded images are mapped from disk where they do not fit into memory.

    Parameters
    ----------
    classifier
        The model.
    items
        Images with labels.
    seen
        Content hashes of the images that the model or an ancestor learned from.
    device
        Where to compute.
    progress
        Called with the number of images done and of all, first as they are read and then as they are answered; by
        default what takes long is shown.

    Returns
    -------
    Asked
    """
    with shown(progress, "Reading") as reading:
        loaded = load_canvases(items, classifier.manifest.input, reading)
    fresh = [row for row, digest in enumerate(loaded.hashes) if digest not in seen]
    known = [loaded.kept[row] for row, digest in enumerate(loaded.hashes) if digest in seen]
    logits = np.empty((len(fresh), len(classifier.labels)), np.float32)
    with shown(progress, "Testing") as testing:
        for start in range(0, len(fresh), AT_ONCE):
            rows = np.asarray(fresh[start : start + AT_ONCE])
            logits[start : start + len(rows)] = classifier.logits(loaded.canvases.pick(rows), device)
            testing(start + len(rows), len(fresh))
    hashes = [loaded.hashes[row] for row in fresh]
    return Asked([loaded.kept[row] for row in fresh], hashes, logits, known, loaded.errors)


def require_known_class(data: ImageSet, classes: Collection[str], labels: Collection[str]) -> None:
    """Refuse images whose classes are all strange to the model.

    Raises
    ------
    DataError
        They are.
    """
    if classes and not set(classes) & set(labels):
        raise DataError(f"The model knows none of the classes of {data.source}: retrain it on them first.")


def describe_classes(
    data: ImageSet, usable: ImageSet, tested: Sequence[int], hashes: Sequence[str], labels: list[str], asked: Asked
) -> dict[str, Any]:
    """Return the fields of :class:`Tested` for images with a class each.

    Parameters
    ----------
    data
        The whole set.
    usable
        Its images with labels.
    tested
        Positions, in ``usable``, of the images that are tested.
    hashes
        Content hash of each of these.
    labels
        The classes that can be answered.
    asked
        What came of the images of ``usable``.

    Raises
    ------
    DataError
        No image is tested.
    """
    if not tested:
        known = {place for place, item in enumerate(usable.items) if item.label in labels}
        raise nothing_left(data, len(known & set(asked.seen)), len(known & set(asked.errors)))
    items = [usable.items[place] for place in tested]
    others = Counter(str(usable.items[place].label) for place in asked.positions)
    truth = [[digest, str(item.label)] for digest, item in zip(hashes, items, strict=True)]
    facts = describe_test(data, usable, items, truth, labels, len(asked.seen), asked.errors)
    return facts | {"other_classes": {label: others[label] for label in sorted(others.keys() - set(labels))}}


def describe_test(
    data: ImageSet,
    usable: ImageSet,
    items: Sequence[ImageItem],
    truth: list[list[Any]],
    labels: list[str],
    excluded: int,
    errors: Mapping[int, str],
) -> dict[str, Any]:
    """Return the fields of :class:`Tested`, whatever the task, but for the classes that were left out.

    Parameters
    ----------
    data
        The whole set.
    usable
        Its images with labels.
    items
        Those that are tested.
    truth
        Content hash and truth of each of these.
    labels
        The classes that can be answered.
    excluded
        Images that the model or an ancestor learned from.
    errors
        One sentence for each position, in ``usable``, that cannot be read.
    """
    return {
        "labels": labels,
        "names": [item.name for item in items],
        "groups": [item.name if item.group is None else item.group for item in items],
        "grouped": data.grouping is not None,
        "manifest_sha256": hashlib.sha256(json.dumps(sorted(truth)).encode()).hexdigest(),
        "contents": [item.content for item in items],
        "excluded": excluded,
        "failures": [Failure(usable.items[place].name, text) for place, text in sorted(errors.items())],
        "unlabelled": len(data) - len(usable),
    }


def nothing_left(data: ImageSet, seen: int, unreadable: int) -> DataError:
    """Return why no image is left to test with."""
    if not seen and not unreadable:
        why = "none of its images is labelled"
    elif not seen:
        why = "none of them can be read"
    elif not unreadable:
        why = f"the model learned from all {seen} of them"
    else:
        why = f"the model learned from {seen} of them, and the other {unreadable} cannot be read"
    return DataError(f"{data.source} holds no image to test with: {why}.")
