"""Divide an ``ImageSet`` so that the test images say something about images not seen yet."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.errors import DataError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imagine_lib.data.imageset import ImageSet


@dataclass(frozen=True)
class Split:
    """Three parts of one set: to learn from, to choose with, and to be judged by."""

    train: ImageSet
    val: ImageSet
    test: ImageSet
    seed: int

    @property
    def rule(self) -> str:
        """How it was split, in words."""
        grouping = self.train.grouping
        return f"by group {grouping}, seed {self.seed}" if grouping else f"by image, seed {self.seed}"

    @property
    def manifest(self) -> dict[str, object]:
        """Which image is where."""
        parts = {"train": self.train, "val": self.val, "test": self.test}
        return {"rule": self.rule, **{key: [item.name for item in part.items] for key, part in parts.items()}}

    @property
    def sha256(self) -> str:
        """Hash of the manifest."""
        return hashlib.sha256(json.dumps(self.manifest, sort_keys=True).encode()).hexdigest()

    def __repr__(self) -> str:
        return f"<Split {self.rule}: {len(self.train)} train, {len(self.val)} val, {len(self.test)} test>"


def split_set(data: ImageSet, seed: int, fractions: tuple[float, float, float]) -> Split:
    """Split a labelled set; see :meth:`ImageSet.split`."""
    if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UsageError(
            f"The three shares of a split are above 0 and add up to 1; these add up to {sum(fractions):g}."
        )
    if len(data.classes) < 2:
        found = f"only {data.classes[0]!r}" if data.classes else "none"
        raise DataError(f"{data.source} needs at least two classes to learn from; there is {found}.")
    parts = _assign(data, np.random.default_rng(seed), np.asarray(fractions))
    train, val, test = (data.subset(indices) for indices in parts)
    _require_every_class(data, train, val, test)
    return Split(train, val, test, seed)


def _assign(data: ImageSet, rng: np.random.Generator, fractions: NDArray[np.float64]) -> list[list[int]]:
    """Deal whole groups out, each to the part that is furthest behind its share of the group's classes."""
    groups = _groups(data)
    members = np.zeros((len(groups), len(data.classes)))
    number = {label: index for index, label in enumerate(data.classes)}
    for row, indices in enumerate(groups):
        for index in indices:
            members[row, number[str(data.items[index].label)]] += 1
    wanted = np.outer(fractions, members.sum(axis=0))
    given = np.zeros_like(wanted)
    parts: list[list[int]] = [[], [], []]
    for row in rng.permutation(len(groups)):
        behind = ((wanted - given) / np.maximum(wanted, 1e-9)) @ members[row]
        part = int(np.argmax(behind))
        parts[part].extend(groups[row])
        given[part] += members[row]
    return [sorted(part) for part in parts]


def _groups(data: ImageSet) -> list[list[int]]:
    """Give the positions of the labelled images of each group, the groups in the order of their names."""
    found: dict[str, list[int]] = defaultdict(list)
    for index, item in enumerate(data.items):
        if item.label is not None:
            found[item.name if item.group is None else item.group].append(index)
    return [found[name] for name in sorted(found)]


def _require_every_class(data: ImageSet, *parts: ImageSet) -> None:
    for label, count in data.counts.items():
        for part, purpose in zip(parts, ("learn from", "choose with", "test with"), strict=True):
            if label not in part.counts:
                unit = "groups that hold it" if data.grouping else "images"
                raise DataError(
                    f"Class {label!r} of {data.source} ({count} images) leaves nothing to {purpose}: "
                    f"add {unit} (at least 3 are needed) or remove the class."
                )
