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
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UsageError(f"The shares of a split must add up to 1, not {sum(fractions):g}.")
    if len(data.classes) < 2:
        found = f"only {data.classes[0]!r}" if data.classes else "none"
        raise DataError(f"{data.source} needs at least two classes to learn from; there is {found}.")
    train, val, test = _assign(data, np.random.default_rng(seed), fractions)
    return Split(data.subset(train), data.subset(val), data.subset(test), seed)


def _assign(
    data: ImageSet, rng: np.random.Generator, fractions: tuple[float, float, float]
) -> tuple[list[int], list[int], list[int]]:
    """Deal whole groups out, class by class, each to the part that is furthest behind its share."""
    groups = _groups_by_class(data)
    _require_enough(data, groups)
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for label in sorted(groups):
        members = [groups[label][name] for name in sorted(groups[label])]
        order = rng.permutation(len(members))
        wanted = np.asarray(fractions) * sum(len(member) for member in members)
        given = np.zeros(3)
        for index in order:
            part = int(np.argmax((wanted - given) / np.maximum(wanted, 1e-9)))
            parts[part].extend(members[index])
            given[part] += len(members[index])
    return sorted(parts[0]), sorted(parts[1]), sorted(parts[2])


def _groups_by_class(data: ImageSet) -> dict[str, dict[str, list[int]]]:
    """Give the images of each group, under the class that most of the group has."""
    whole: dict[str, list[int]] = defaultdict(list)
    for index, item in enumerate(data.items):
        if item.label is not None:
            whole[item.group if item.group is not None else item.name].append(index)
    found: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for name, indices in whole.items():
        labels = [str(data.items[index].label) for index in indices]
        found[max(sorted(set(labels)), key=labels.count)][name] = indices
    return found


def _require_enough(data: ImageSet, groups: dict[str, dict[str, list[int]]]) -> None:
    for label, count in data.counts.items():
        units = len(groups.get(label, {})) if data.grouping else count
        if units < 3:
            what = "groups" if data.grouping else "images"
            raise DataError(
                f"Class {label!r} of {data.source} has {units} {what}; each class needs at least 3 "
                "(to learn, to choose, to test): add some or remove the class."
            )
