"""What an epoch shows: the images in their order, and the random numbers that each is changed by."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from imagine_lib.training.randomness import generator


@dataclass(frozen=True)
class Showing:
    """Images to be learned from, in order."""

    positions: torch.Tensor
    """Which images; int64, shape (n,)."""
    random: torch.Tensor
    """What each is changed by: numbers in 0..1 on the CPU, shape (n, facts)."""

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, part: slice) -> Showing:
        return Showing(self.positions[part], self.random[part])

    def batches(self, size: int) -> list[Showing]:
        """Cut into batches; one of a single image would leave batch normalisation without a variance."""
        cut = [self[start : start + size] for start in range(0, len(self), size)]
        return [batch for batch in cut if len(batch) > 1]


def order_once(count: int, seed: int, epoch: int) -> torch.Tensor:
    """Return the positions of an epoch's images in a random order, each once; int64, shape (count,)."""
    return torch.randperm(count, generator=generator(seed, epoch, "order"))


def show(order: torch.Tensor, seed: int, epoch: int, facts: int) -> Showing:
    """Draw what the images of an epoch are changed by.

    Parameters
    ----------
    order
        Positions of the images; int64, shape (n,). One may be there several times: it is changed anew each time.
    seed
        The recipe's.
    epoch
        Which.
    facts
        Random numbers that the changes of one image take.

    Returns
    -------
    Showing
        The same for the same arguments, whatever was trained before.
    """
    random = torch.rand(len(order), facts, generator=generator(seed, epoch, "changes"))
    rank = order.argsort(stable=True).argsort()  # where each image is there once, its position
    return Showing(order, random[rank])
