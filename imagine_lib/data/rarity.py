"""Which classes are too rare to be divided, and a set without them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from imagine_lib.data.readers.text import counted
from imagine_lib.data.splitting import labels_of, tie
from imagine_lib.errors import UsageError
from imagine_lib.wire import Task

if TYPE_CHECKING:
    from imagine_lib.data.imageset import ImageSet

FEWEST = 3
"""Images of a class, in as many groups, that a split needs: to learn from, to choose with, and to test with."""


def units_by_class(data: ImageSet) -> dict[str, int]:
    """Return of each class in how many units its images lie: a split keeps groups, and near duplicates, together."""
    usable = data.labelled
    units, _, _ = tie(usable)
    held: dict[str, set[int]] = defaultdict(set)
    for item, unit in zip(usable.items, units, strict=True):
        for label in labels_of(usable, item):
            held[label].add(unit)
    return {label: len(held[label]) for label in sorted(held)}


def drop_rare_classes(data: ImageSet, images: int, groups: int) -> ImageSet:
    """Leave classes out; see :meth:`ImageSet.without_rare_classes`."""
    if data.task == Task.SEGMENTATION:
        raise UsageError(f"{data.source} has masks: of these no class can be left out; change the masks.")
    rest = data
    while rare := _rare(rest, images, groups):
        kept = [index for index, item in enumerate(rest.items) if not rare & {*labels_of(rest, item)}]
        rest = rest.subset(kept)
    gone = [label for label in data.classes if label not in rest.counts]
    if not gone:
        return data
    lost = counted(len(data) - len(rest), "image")
    remark = f"{counted(len(gone), 'rare class', 'rare classes')} left out with {lost}: {', '.join(gone)}."
    declared = tuple(label for label in rest.classes_declared if label not in gone)
    known = {name: vars(rest)[name] for name in ("looks", "duplicates")}
    rest = replace(rest, classes_declared=declared, remarks=(*data.remarks, remark))
    vars(rest).update(known)
    return rest


def _rare(data: ImageSet, images: int, groups: int) -> set[str]:
    units = units_by_class(data)
    return {label for label in data.counts if data.counts[label] < images or units[label] < groups}
