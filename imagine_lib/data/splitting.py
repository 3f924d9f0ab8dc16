"""Divide an ``ImageSet`` so that the test images say something about images not seen yet."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from imagine_lib.data.dealing import Unit, deal
from imagine_lib.data.duplicates import sets_of
from imagine_lib.data.splits import FOUR, THREE, Split
from imagine_lib.errors import DataError, UsageError
from imagine_lib.wire import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from imagine_lib.data.imageset import ImageItem, ImageSet

PURPOSES = {"train": "learn from", "select": "choose with", "calibrate": "calibrate with", "test": "test with"}

DEFAULTS = ((50_000, (0.8, 0.05, 0.05, 0.1)), (2_000, (0.7, 0.1, 0.1, 0.1)), (0, (0.7, 0.1, 0.2)))
"""From how many labelled images on which shares are taken: a small set can spare no fourth part."""

LARGEST_JOIN = 0.2
"""Share of the images that groups joined by near duplicates may come to: beyond, nothing could be divided."""


def split_set(data: ImageSet, seed: int, fractions: Sequence[float] | None) -> Split:
    """Split a labelled set; see :meth:`ImageSet.split`."""
    _require_shares(fractions)
    usable = data.labelled
    _require_labels(usable)
    labels, joined, loose = tie(usable)
    given = {item.part for item in usable.items if item.part is not None}
    shares = (
        dict(zip(FOUR if len(fractions) == 4 else THREE, fractions, strict=True)) if fractions else _shares(usable)
    )
    if "calibrate" in given and "calibrate" not in shares:
        usual = dict(zip(FOUR, DEFAULTS[1][1], strict=True))
        shares = shares | {"calibrate": usual["calibrate"]} if fractions else usual
    parts = _divide(usable, labels, shares, given, seed)
    may_merge = fractions is None and "calibrate" in shares and "calibrate" not in given
    if may_merge and _first_lack(usable, parts, given) is not None:
        parts = _divide(usable, labels, dict(zip(THREE, DEFAULTS[2][1], strict=True)), given, seed)
    _require_every_class(usable, parts, given)
    rule = _rule(usable, seed, given, joined, merged="calibrate" not in parts, unlabelled=len(data) - len(usable))
    warnings = _warnings(usable, labels, parts, given, loose)
    sets = {name: usable.subset(sorted(rows)) for name, rows in parts.items()}
    calibrate = sets.get("calibrate", sets["select"])
    return Split(sets["train"], sets["select"], calibrate, sets["test"], seed, rule, warnings)


def _shares(data: ImageSet) -> dict[str, float]:
    shares = next(shares for least, shares in DEFAULTS if len(data) >= least)
    return dict(zip(FOUR if len(shares) == 4 else THREE, shares, strict=True))


def _divide(
    data: ImageSet, labels: Sequence[int], shares: Mapping[str, float], given: Iterable[str], seed: int
) -> dict[str, list[int]]:
    """Return the positions of each part: as the set's own files say, and dealt out where they say nothing."""
    pool_part = "train" if "train" in given else None
    parts: dict[str, list[int]] = {name: [] for name in shares}
    pool = []
    for index, item in enumerate(data.items):
        if item.part == pool_part:
            pool.append(index)
        elif item.part is not None:
            parts[item.part].append(index)
    dealt = ["train", *(name for name in shares if name != "train" and name not in given)]
    rows: dict[int, list[int]] = defaultdict(list)
    for index in pool:
        rows[labels[index]].append(index)
    units = [_unit(data, members) for members in rows.values()]
    whole = sum(shares[name] for name in dealt)
    numbers = deal(units, [shares[name] / whole for name in dealt], seed)
    for members, number in zip(rows.values(), numbers, strict=True):
        parts[dealt[number]] += members
    return parts


def _unit(data: ImageSet, members: Sequence[int]) -> Unit:
    counts: Counter[str] = Counter()
    for index in members:
        counts.update(labels_of(data, data.items[index]))
    name = min(data.items[index].name for index in members)
    return Unit(name, {label: counts[label] for label in sorted(counts)}, len(members))


def labels_of(data: ImageSet, item: ImageItem) -> list[str]:
    """Return the classes that an image counts for; of masks nothing is known without reading them."""
    if data.task == Task.DETECTION:
        return [box.label for box in item.boxes or ()]
    return [item.label] if data.task == Task.CLASSIFICATION and item.label is not None else []


def tie(data: ImageSet) -> tuple[list[int], int, int]:
    """Tell which images stay together: groups, and what near duplicates join.

    Returns
    -------
    tuple
        For each image the number of its unit; how many near duplicates stay together; how many do not, because they
        would tie most groups to one another.
    """
    first: dict[str, int] = {}
    labels = [
        index if item.group is None else first.setdefault(item.group, index) for index, item in enumerate(data.items)
    ]
    members: dict[int, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        members[label].append(index)
    kept = loose = 0
    for alike in sets_of(data.duplicates.near):
        units = sorted({labels[index] for index in alike})
        grouped = [unit for unit in units if data.items[unit].group is not None]
        if len(grouped) > 1 and sum(len(members[unit]) for unit in units) > LARGEST_JOIN * len(data):
            loose += len(alike)
            continue
        kept += len(alike)
        for unit in units[1:]:
            moved = members.pop(unit)
            members[units[0]] += moved
            for index in moved:
                labels[index] = units[0]
    return labels, kept, loose


def _rule(data: ImageSet, seed: int, given: Iterable[str], joined: int, merged: bool, unlabelled: int) -> str:
    by = f"by group {data.grouping}" if data.grouping else "by image"
    named = [name for name in FOUR if name in given]
    words = [f"{', '.join(named)} as the set's files say", f"the rest {by}"] if named else [by]
    words.append(f"seed {seed}")
    if joined:
        words.append(f"{joined} near duplicates kept together")
    if merged:
        words.append("one part to select and calibrate")
    if unlabelled:
        words.append(f"{unlabelled} images without a label left out")
    return ", ".join(words)


def _warnings(
    data: ImageSet, labels: Sequence[int], parts: Mapping[str, Sequence[int]], given: Iterable[str], loose: int
) -> tuple[str, ...]:
    found = []
    if data.grouping is None and not given:
        found.append(
            "No group rule was given: where several images come from one sample, the figures of the test flatter the "
            "model; give open_dataset a group."
        )
    if loose:
        found.append(
            f"{loose} near duplicates were not kept together, because they would tie most groups to one another: the "
            "figures of the test flatter the model."
        )
    places: dict[int, set[str]] = defaultdict(set)
    for name, rows in parts.items():
        for index in rows:
            places[labels[index]].add(name)
    shared = sum(len(places[labels[index]]) > 1 for rows in parts.values() for index in rows)
    if shared:
        found.append(
            f"{shared} images share a group, or are near duplicates, with images of another part as the set's files "
            "divide them: the figures of the test flatter the model; look at data.check()."
        )
    aside = len(data) - sum(map(len, parts.values()))
    if aside:
        found.append(f"{aside} labelled images are in none of the parts that the set's files name and are left out.")
    found += [
        f"Class {label!r} has no image to {PURPOSES[name]}, as the set's files divide it."
        for name, rows in parts.items()
        if name in given
        for label in _lacking(data, rows)
    ]
    return tuple(found)


def _require_shares(fractions: Sequence[float] | None) -> None:
    if fractions is None:
        return
    if len(fractions) not in (3, 4):
        raise UsageError(f"A split has three or four shares, for {', '.join(FOUR)}; {len(fractions)} are given.")
    if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        number = "three" if len(fractions) == 3 else "four"
        raise UsageError(
            f"The {number} shares of a split are above 0 and add up to 1; these add up to {sum(fractions):g}."
        )


def _require_labels(data: ImageSet) -> None:
    if data.task == Task.CLASSIFICATION and len(data.classes) < 2:
        found = f"only {data.classes[0]!r}" if data.classes else "none"
        raise DataError(f"{data.source} needs at least two classes to learn from; there is {found}.")
    if not len(data):
        raise DataError(f"{data.source} has no labelled images to learn from: add boxes or masks.")


def _lacking(data: ImageSet, rows: Iterable[int]) -> list[str]:
    """Return the classes that none of some images holds."""
    held = {label for index in rows for label in labels_of(data, data.items[index])}
    return [] if data.task == Task.SEGMENTATION else [label for label in data.classes if label not in held]


def _first_lack(data: ImageSet, parts: Mapping[str, Sequence[int]], given: Iterable[str]) -> tuple[str, str] | None:
    """Return the first class that a part needs and does not hold, and that part; what is given may lack some."""
    strict = [name for name in parts if name == "train" or name not in given]
    found = ((label, name) for name in strict for label in _lacking(data, parts[name]))
    empty = (("", name) for name, rows in parts.items() if not rows)
    return min(found, key=lambda lack: (lack[0], FOUR.index(lack[1])), default=next(empty, None))


def _require_every_class(data: ImageSet, parts: Mapping[str, Sequence[int]], given: Iterable[str]) -> None:
    lack = _first_lack(data, parts, given)
    if lack is None:
        return
    label, name = lack
    unit = "groups" if data.grouping else "images"
    if not label:
        raise DataError(f"{data.source} leaves nothing to {PURPOSES[name]}: add {unit} (at least 3 are needed).")
    thing = "boxes" if data.task == Task.DETECTION else "images"
    unit = f"{unit} that hold it" if data.grouping or data.task == Task.DETECTION else unit
    raise DataError(
        f"Class {label!r} of {data.source} ({data.counts[label]} {thing}) leaves nothing to {PURPOSES[name]}: "
        f"add {unit} (at least {len(parts)} are needed, near duplicates count as one) or leave the class out: "
        "data.without_rare_classes()."
    )
