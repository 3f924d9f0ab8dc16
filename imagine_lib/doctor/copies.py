"""Images that are there more than once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.data.duplicates import sets_of
from imagine_lib.data.readers.text import counted
from imagine_lib.doctor.finding import Finding, about_images

if TYPE_CHECKING:
    from imagine_lib.data.imageset import ImageSet


def check_copies(data: ImageSet) -> list[Finding]:
    """Find exact and near duplicates, and those whose labels contradict each other."""
    exact = sets_of(data.duplicates.exact)
    near = [alike for alike in sets_of(data.duplicates.near) if len({data.duplicates.exact[i] for i in alike}) > 1]
    disputed, unsure = _disputed(data, exact), _disputed(data, near)
    return [
        *about_images(
            data,
            _flat(disputed),
            "label-conflict",
            "error",
            f"{counted(len(_flat(disputed)), 'image')} with the same pixels and different labels, in "
            f"{counted(len(disputed), 'set')}.",
            "Decide for each which label is right, and remove the copies.",
        ),
        *about_images(
            data,
            _flat(unsure),
            "near-label-conflict",
            "warning",
            f"{counted(len(_flat(unsure)), 'image')} that look nearly the same and have different labels, in "
            f"{counted(len(unsure), 'set')}.",
            "Look at each set and decide which label is right.",
        ),
        *about_images(
            data,
            _flat(exact),
            "duplicate",
            "warning",
            f"{counted(len(_flat(exact)), 'image')} of which another has the same pixels, in "
            f"{counted(len(exact), 'set')}.",
            "Keep one of each; until then a split keeps the copies together.",
        ),
        *about_images(
            data,
            _flat(near),
            "near-duplicate",
            "warning",
            f"{counted(len(_flat(near)), 'image')} of which another looks nearly the same, in "
            f"{counted(len(near), 'set')}, the largest of {max(map(len, near), default=0)}.",
            "Nothing has to be done, a split keeps them together; but they teach less than as many others.",
        ),
    ]


def _flat(sets: list[list[int]]) -> list[int]:
    """Return the members, beginning with the first two of each set so that examples show many sets."""
    return [index for alike in sets for index in alike[:2]] + [index for alike in sets for index in alike[2:]]


def _disputed(data: ImageSet, sets: list[list[int]]) -> list[list[int]]:
    """Return, for each set with different labels, one image of each label."""
    found = []
    for alike in sets:
        labels = {data.items[index].label: index for index in reversed(alike) if data.items[index].label is not None}
        if len(labels) > 1:
            found.append(sorted(labels.values()))
    return found
