"""``Recipe``: everything about a retraining that is a choice. The defaults need no change."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from imagine_lib.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train.

    Parameters
    ----------
    epochs
        How often every training image is seen.
    head_epochs
        Of these, how many train only the new head while the features stay as they are; none with random weights.
    batch_size
        Images a step.
    learning_rate
        The highest learning rate, of the head; the features learn at ``feature_rate`` times this.
    feature_rate
        See ``learning_rate``; 1 with random weights.
    weight_decay
        AdamW's.
    warmup
        Share of the steps in which the learning rate rises; afterwards it falls on a cosine to zero.
    augment
        Flip, turn, shift and brighten the training images at random.
    image_size
        Side of the square that the network sees, in pixels; by default the base model's.
    resize
        See :func:`imagine_lib.data.preprocessing.make_input_spec`.
    seed
        Of everything random.
    """

    epochs: int = 10
    head_epochs: int = 1
    batch_size: int = 32
    learning_rate: float = 3e-3
    feature_rate: float = 0.3
    weight_decay: float = 0.02
    warmup: float = 0.15
    augment: bool = True
    image_size: int | None = None
    resize: Literal["scale", "pad", "stretch"] = "scale"
    seed: int = 0

    def __post_init__(self) -> None:
        wrong = [name for name in ("epochs", "batch_size", "learning_rate") if not getattr(self, name) > 0]
        wrong += [name for name in ("head_epochs", "weight_decay", "seed") if getattr(self, name) < 0]
        if wrong:
            raise UsageError(f"Recipe: {wrong[0]} cannot be {getattr(self, wrong[0])}.")
        if self.batch_size < 2:
            raise UsageError("Recipe: batch_size must be at least 2: one image alone has no average to compare with.")
        if not 0 <= self.warmup < 1 or not 0 <= self.feature_rate <= 1:
            raise UsageError("Recipe: warmup lies between 0 and 1 (below 1), feature_rate between 0 and 1.")
        if self.image_size is not None and not 16 <= self.image_size <= 1024:
            raise UsageError(f"Recipe: image_size must lie between 16 and 1024 pixels, not {self.image_size}.")
        if self.resize not in ("scale", "pad", "stretch"):
            raise UsageError(f"Recipe: resize is 'scale', 'pad' or 'stretch', not {self.resize!r}.")

    def to_dict(self) -> dict[str, Any]:
        """Return the choices as plain data."""
        return asdict(self)
