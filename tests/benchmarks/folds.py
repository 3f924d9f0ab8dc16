"""Five stored folds of the Bering Sea images: each image is tested once, and every system gets the same ones.

    python -m tests.benchmarks.folds        deals them anew into ``folds.json``

Near duplicates stay together, the classes keep their shares, and what a fold does not test is divided once more into
images to learn from and images to choose with.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imagine_lib.data.dealing import Unit, deal
from tests.benchmarks.images import BERING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imagine_lib.data.imageset import ImageSet

STORED = Path(__file__).with_name("folds.json")
COUNT = 5
SELECT = 0.15
"""Share of what a fold does not test that it chooses with."""

TRAIN_MARK, SELECT_MARK, TEST_MARK = "LST"
"""Learn, select, test: what an image is for, one letter a fold."""


@dataclass(frozen=True)
class Example:
    """An image and the number of its class."""

    path: Path
    target: int


@dataclass(frozen=True)
class Fold:
    """Images to learn from, to choose with, and to be judged by."""

    number: int
    classes: tuple[str, ...]
    train: tuple[Example, ...]
    select: tuple[Example, ...]
    test: tuple[Example, ...]


def read_marks() -> dict[str, str]:
    """Return by image its letter in each fold."""
    marks: dict[str, str] = json.loads(STORED.read_text(encoding="utf-8"))["images"]
    return marks


def read_fold(number: int, every: int = 1, folder: Path = BERING) -> Fold:
    """Return a stored fold, or each so manieth image of every part of it."""
    marks = read_marks()
    classes = tuple(sorted({name.split("/")[0] for name in marks}))

    def part(mark: str) -> tuple[Example, ...]:
        names = [name for name, letters in sorted(marks.items()) if letters[number] == mark]
        return tuple(Example(folder / name, classes.index(name.split("/")[0])) for name in names[::every])

    return Fold(number, classes, part(TRAIN_MARK), part(SELECT_MARK), part(TEST_MARK))


def deal_folds(labels: Mapping[str, str], alike: Sequence[Sequence[str]], seed: int = 0) -> dict[str, str]:
    """Deal images out to folds.

    Parameters
    ----------
    labels
        The class of each image.
    alike
        Images that stay together; what is in none is by itself.
    seed
        Another one deals otherwise.

    Returns
    -------
    dict
        By image its letter in each fold.
    """
    joined = {name for names in alike for name in names}
    sets = [list(names) for names in alike] + [[name] for name in labels if name not in joined]
    tested = deal([_unit(names, labels) for names in sets], [1 / COUNT] * COUNT, seed)
    marks: dict[str, list[str]] = defaultdict(list)
    for fold in range(COUNT):
        rest = [names for names, part in zip(sets, tested, strict=True) if part != fold]
        parts = deal([_unit(names, labels) for names in rest], [1 - SELECT, SELECT], seed + 1 + fold)
        letters = {
            name: (TRAIN_MARK, SELECT_MARK)[part] for names, part in zip(rest, parts, strict=True) for name in names
        }
        for name in labels:
            marks[name].append(letters.get(name, TEST_MARK))
    return {name: "".join(marks[name]) for name in sorted(labels)}


def _unit(names: Sequence[str], labels: Mapping[str, str]) -> Unit:
    counts: dict[str, int] = defaultdict(int)
    for name in names:
        counts[labels[name]] += 1
    return Unit(min(names), dict(counts), len(names))


def _deal_set(data: ImageSet) -> dict[str, str]:
    from imagine_lib.data.duplicates import sets_of

    names = [item.name for item in data.items]
    alike = [[names[index] for index in found] for found in sets_of(data.duplicates.near)]
    return deal_folds({item.name: str(item.label) for item in data.items}, alike)


if __name__ == "__main__":
    import imagine_lib as im

    rule = f"{COUNT} folds by class, near duplicates together, {SELECT:.0%} of the rest to choose with, seed 0"
    lines = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(mark)}" for name, mark in _deal_set(im.open_dataset(BERING)).items()
    )
    STORED.write_text(f'{{\n "rule": {json.dumps(rule)},\n "images": {{\n{lines}\n }}\n}}\n', encoding="utf-8")
