"""Randomness as a function of (seed, epoch, index): a training that was cut off goes on exactly as it would have."""

from __future__ import annotations

import hashlib

import torch


def generator(seed: int, *place: int | str) -> torch.Generator:
    """Return a generator for one place of a training, the same whenever it is asked for.

    Parameters
    ----------
    seed
        The recipe's.
    place
        What it is for: the epoch, the step, a purpose.
    """
    return torch.Generator().manual_seed(number(seed, *place))


def number(seed: int, *place: int | str) -> int:
    """Return the seed of one place, in 0..2**63 - 1; neighbouring places have unrelated ones."""
    digest = hashlib.sha256(repr((seed, *place)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
