"""Deal units of images out to the parts of a split, so that each part has its share of every class."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOTAL = ""
"""The key that every image counts for, beside those of its classes."""

EMPTY = 1e6
"""What a class that is missing in a part adds to the measure: more than any disproportion."""

SWEEPS = 10
"""Times that all groups are looked at again."""

GAIN = 1e-9
"""A move that betters the measure by less is none."""


@dataclass(frozen=True)
class Unit:
    """Images that stay together."""

    name: str
    counts: Mapping[str, int]
    """Images, or boxes, of each class."""
    size: int
    """Images."""


def deal(units: Sequence[Unit], fractions: Sequence[float], seed: int) -> list[int]:
    """Return the number of the part of each unit: of all classes, and of all images, each part its share.

    How far a part is from its share is measured by Pearson's chi-square (1900), divided by the number of images of
    the class, so that rare classes count like common ones; all images count as much as all classes together. Units
    go, the larger first, where this grows least; then single ones are moved as long as it falls. Sums of Python's own
    floats in a fixed order, and an order by hash: every machine deals alike.
    """
    table = _Table(units, fractions)
    order = sorted(range(len(units)), key=lambda index: _turn(units[index], seed))
    for index in order:
        table.put(index, table.best(index))
    if table.lacks_class() or any(unit.size > 1 for unit in units):
        for _ in range(SWEEPS):
            if not sum([table.improve(index) for index in reversed(order)]):
                break
    return table.parts


class _Table:
    """How much of each class every part has, and how much it should have."""

    def __init__(self, units: Sequence[Unit], fractions: Sequence[float]) -> None:
        self.rows = [
            {TOTAL: unit.size} | {f"={label}": unit.counts[label] for label in unit.counts} for unit in units
        ]
        totals: dict[str, int] = {}
        for row in self.rows:
            for key, count in row.items():
                totals[key] = totals.get(key, 0) + count
        self.weights = dict.fromkeys(totals, 1.0) | {TOTAL: float(max(1, len(totals) - 1))}
        self.wanted = [{key: fraction * totals[key] for key in totals} for fraction in fractions]
        self.given = [dict.fromkeys(totals, 0) for _ in fractions]
        self.totals = totals
        self.parts = [-1] * len(units)

    def lacks_class(self) -> bool:
        return any(not count for given in self.given for count in given.values())

    def put(self, index: int, part: int) -> None:
        for key, count in self.rows[index].items():
            self.given[part][key] += count
        self.parts[index] = part

    def take(self, index: int) -> None:
        for key, count in self.rows[index].items():
            self.given[self.parts[index]][key] -= count

    def best(self, index: int, empty: float = 0.0) -> int:
        costs = [self._cost(index, part, empty) for part in range(len(self.given))]
        return costs.index(min(costs))

    def improve(self, index: int) -> bool:
        """Move a unit where it does most good; tell whether that was elsewhere."""
        before = self.parts[index]
        self.take(index)
        after = self.best(index, EMPTY)
        worth = self._cost(index, before, EMPTY) - self._cost(index, after, EMPTY)
        self.put(index, after if worth > GAIN else before)
        return worth > GAIN

    def _cost(self, index: int, part: int, empty: float) -> float:
        """Return by how much the measure grows when a part is given a unit."""
        given, wanted, cost = self.given[part], self.wanted[part], 0.0
        for key, count in self.rows[index].items():
            growth = (2 * (given[key] - wanted[key]) + count) * count / (wanted[key] * self.totals[key])
            cost += self.weights[key] * growth - (empty if not given[key] else 0.0)
        return cost


def _turn(unit: Unit, seed: int) -> tuple[int, str, str]:
    """Larger before smaller, by powers of two; those of about the same size in a random order."""
    name = unicodedata.normalize("NFC", unit.name)
    return -unit.size.bit_length(), hashlib.sha256(f"{seed} {name}".encode()).hexdigest(), name
