"""What ties images to one another: groups, and the parts that a set is delivered in."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from imagine_lib.data.readers.text import counted
from imagine_lib.doctor.finding import Finding, about_images, about_names

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from imagine_lib.data.imageset import ImageSet


def check_groups(data: ImageSet) -> list[Finding]:
    """Find groups and images that are in two given parts at once, and a set without groups."""
    divided = any(item.part is not None for item in data.items)
    return (_leaks(data) if divided else []) + _no_groups(data)


def _leaks(data: ImageSet) -> list[Finding]:
    by_group = _in_two_parts(data, ((index, item.group) for index, item in enumerate(data.items)))
    exact = _in_two_parts(data, enumerate(data.duplicates.exact.tolist()))
    near = _in_two_parts(data, enumerate(data.duplicates.near.tolist()))
    copies = sorted(index for members in exact.values() for index in members)
    alike = sorted({index for members in near.values() for index in members} - set(copies))
    return [
        *about_names(
            sorted(map(str, by_group)),
            "group-in-two-parts",
            "error",
            f"{counted(len(by_group), 'group')} with images in more than one of the given parts.",
            "Move each group into one part, or remove the given parts and let the library split by group.",
        ),
        *about_images(
            data,
            copies,
            "copy-in-two-parts",
            "error",
            f"{counted(len(copies), 'image')} with the same pixels as an image of another given part.",
            "Remove the copies from all parts but one.",
        ),
        *about_images(
            data,
            alike,
            "near-copy-in-two-parts",
            "warning",
            f"{counted(len(alike), 'image')} that look nearly the same as an image of another given part.",
            "Move images that look the same into one part, or remove the given parts and let the library split.",
        ),
    ]


def _in_two_parts(data: ImageSet, keys: Iterable[tuple[int, Hashable]]) -> dict[Hashable, list[int]]:
    members: dict[Hashable, list[int]] = defaultdict(list)
    for index, key in keys:
        if key is not None and data.items[index].part is not None:
            members[key].append(index)
    return {key: rows for key, rows in members.items() if len({data.items[index].part for index in rows}) > 1}


def _no_groups(data: ImageSet) -> list[Finding]:
    if any(item.group is not None for item in data.items):
        return []
    message = "Nothing says which images belong together, such as those of one sample, cruise or individual."
    remedy = "Give open_dataset a group; without one the figures of a test flatter the model."
    return [Finding("no-groups", "note", len(data), message, remedy)]
