"""Labels: missing, few, uneven, or written in two ways."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING

from imagine_lib.data.rarity import FEWEST, units_by_class
from imagine_lib.data.readers.text import counted
from imagine_lib.doctor.finding import Finding, about_images, about_names
from imagine_lib.wire import Task

if TYPE_CHECKING:
    from imagine_lib.data.imageset import ImageSet

TINY = 20
"""Images of a class below which its test figures rest on a handful of images."""

LEAVE_OUT = "leave it out (data.without_rare_classes(), or --min-groups 3)"

UNEVEN = 100
"""How many times more images the largest class may have than the smallest before it is said."""


def check_classes(data: ImageSet) -> list[Finding]:
    """Find unlabelled images, empty, tiny and uneven classes, and names that differ by their writing only."""
    findings = _unlabelled(data) + _alike_names(data)
    if data.task == Task.SEGMENTATION:
        return findings
    return findings + _too_few_classes(data) + _sizes(data) + _in_few_units(data) + _imbalance(data)


def _unlabelled(data: ImageSet) -> list[Finding]:
    missing = {Task.CLASSIFICATION: "a label", Task.DETECTION: "boxes", Task.SEGMENTATION: "a mask"}[data.task]
    key = {Task.CLASSIFICATION: "label", Task.DETECTION: "boxes", Task.SEGMENTATION: "mask"}[data.task]
    bare = [index for index, item in enumerate(data.items) if getattr(item, key) is None]
    return about_images(
        data,
        bare,
        "unlabelled",
        "note",
        f"{counted(len(bare), 'image')} without {missing}.",
        "Nothing is learned from them; label them, or leave them for prediction.",
    )


def _too_few_classes(data: ImageSet) -> list[Finding]:
    needed = 2 if data.task == Task.CLASSIFICATION else 1
    if len(data.classes) >= needed:
        return []
    there = f"only {data.classes[0]!r} is there" if data.classes else "there is none"
    message = f"Training needs {'two classes' if needed == 2 else 'a class'}, and {there}."
    return [Finding("too-few-classes", "error", len(data.classes), message, "Label images of more classes.")]


def _sizes(data: ImageSet) -> list[Finding]:
    thing = "box" if data.task == Task.DETECTION else "image"
    things = "boxes" if thing == "box" else "images"
    empty = sorted(set(data.classes_declared) - set(data.counts))
    by_count = sorted(data.counts, key=lambda label: (data.counts[label], label))
    few = [label for label in by_count if data.counts[label] < FEWEST]
    tiny = [label for label in by_count if FEWEST <= data.counts[label] < TINY]
    return [
        *about_names(
            empty,
            "empty-class",
            "warning",
            f"{counted(len(empty), 'class', 'classes')} without {things}.",
            f"Add {things}, or remove the class.",
        ),
        *about_names(
            few,
            "class-too-small",
            "error",
            f"{counted(len(few), 'class', 'classes')} with fewer than {FEWEST} {things}, too few to be split.",
            f"Add {things}, merge the class into another, or {LEAVE_OUT}.",
        ),
        *about_names(
            tiny,
            "tiny-class",
            "warning",
            f"{counted(len(tiny), 'class', 'classes')} with fewer than {TINY} {things}: the figures of their test "
            "will be guesses.",
            f"Add {things}, or merge the class into another.",
        ),
    ]


def _in_few_units(data: ImageSet) -> list[Finding]:
    """Find classes with enough images that cannot be divided, because a split keeps groups and copies whole."""
    if any(item.part is not None for item in data.items):
        return []
    units = units_by_class(data)
    few = [label for label in units if data.counts[label] >= FEWEST > units[label]]
    listed = ", ".join(f"{label!r} in {units[label]}" for label in few[:3])
    return about_names(
        few,
        "class-in-few-groups",
        "error",
        f"{counted(len(few), 'class', 'classes')} with images in fewer than {FEWEST} groups ({listed}; near "
        "duplicates count as one): a split keeps groups whole, so that a part of it lacks the class.",
        f"Add images of other groups, merge the class into another, or {LEAVE_OUT}.",
    )


def _imbalance(data: ImageSet) -> list[Finding]:
    if len(data.counts) < 2:
        return []
    smallest, largest = (choose(data.counts, key=lambda label: data.counts[label]) for choose in (min, max))
    ratio = data.counts[largest] / data.counts[smallest]
    if ratio <= UNEVEN:
        return []
    message = f"{largest!r} has {ratio:,.0f} times as many examples as {smallest!r}."
    remedy = "Trust macro-F1 and not accuracy, and look at the figures of each class."
    return [Finding("imbalance", "note", len(data.counts), message, remedy, (largest, smallest))]


def _alike_names(data: ImageSet) -> list[Finding]:
    written: dict[str, list[str]] = defaultdict(list)
    for label in sorted({*data.counts, *data.classes_declared}):
        written["".join(unicodedata.normalize("NFKC", label).casefold().split())].append(label)
    groups = [labels for labels in written.values() if len(labels) > 1]
    names = [label for labels in groups for label in labels]
    shown = "; ".join(
        " and ".join(ascii(label) if _same_on_screen(labels) else repr(label) for label in labels)
        for labels in groups[:3]
    )
    return about_names(
        names,
        "alike-names",
        "warning",
        f"{counted(len(names), 'class', 'classes')} with names that differ only in case, spaces or the encoding of "
        f"letters: {shown}.",
        "Give those that mean the same one name.",
    )


def _same_on_screen(labels: list[str]) -> bool:
    return len({unicodedata.normalize("NFC", label) for label in labels}) < len(labels)
