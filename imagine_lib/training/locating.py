"""What detection and segmentation share as objectives: canvases whose changes boxes and masks can follow exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from imagine_lib.models.network import to_batch
from imagine_lib.training.augmentation import FLIP_FACTS, flip_images, flips_of, shade
from imagine_lib.training.feed import Feed
from imagine_lib.training.showing import Showing, order_once, show

if TYPE_CHECKING:
    from torch import nn

    from imagine_lib.data.placed import Placed
    from imagine_lib.training.recipe import Recipe
    from imagine_lib.wire import InputSpec


class Locating:
    """Learning where something is.

    Parameters
    ----------
    train, select
        The images to learn from, and those to choose the best epoch with.
    spec
        The preprocessing.
    recipe
        How to train.
    device
        Where to compute.
    """

    def __init__(self, train: Placed, select: Placed, spec: InputSpec, recipe: Recipe, device: torch.device) -> None:
        self.spec, self._recipe, self.device = spec, recipe, device
        self.seen = frozenset(train.hashes) | frozenset(select.hashes)
        self._items = train.items
        self._feed = Feed(train.canvases, spec, device)

    def __len__(self) -> int:
        return len(self._items)

    def begin(self, network: nn.Module) -> None:
        """Do nothing: no part of such a network is learned in seconds."""

    def showing(self, epoch: int) -> Showing:
        """Return an epoch's images, each once, in a random order."""
        return show(order_once(len(self), self._recipe.seed, epoch), self._recipe.seed, epoch, FLIP_FACTS)

    def describe(self, positions: torch.Tensor) -> str:
        """Name some images, for an error."""
        return ", ".join(self._items[position].name for position in positions[:5].tolist())

    def _pictures(self, shown: Showing) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the canvases changed and normalised, and how each is mirrored, as :func:`flips_of` says it."""
        canvases = self._feed.canvases(shown.positions)
        if not self._recipe.augment:
            upright = torch.zeros(len(shown), 2, dtype=torch.bool)
            return to_batch(canvases, self.spec.mean, self.spec.std, self.device), upright
        flips = flips_of(shown.random)
        batch = to_batch(flip_images(canvases, flips), self.spec.mean, self.spec.std, self.device)
        return shade(batch, shown.random[:, 2:]), flips
