"""``Recipe``: everything about a retraining that is a choice. The defaults need no change."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from imagine_lib.errors import UsageError

if TYPE_CHECKING:
    from imagine_lib.wire import Resize

Balance = Literal["auto", "none", "sampling", "logits"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train.

    Parameters
    ----------
    epochs
        How often every training image is seen, at most.
    patience
        Epochs without a better macro-F1 on the selection images after which the training ends; None: never early.
    batch_size
        Images a step; by default found by itself within the memory that there is.
    learning_rate
        The highest learning rate, of the head.
    layer_decay
        With trained weights, how much slower each block learns than the one above it.
    weight_decay
        AdamW's.
    warmup
        Share of the training in which the learning rate rises; afterwards it falls on a cosine to zero.
    head_first
        With trained weights, fit the head on the features first: a preview in seconds, and a better start.
    average
        Decay of the running average of the weights, which is what is kept; 0: the weights themselves.
    balance
        Against rare classes being drowned: ``sampling`` shows their images more often, ``logits`` adjusts the loss
        (Menon et al. 2021), ``auto`` chooses by the tail.
    augment
        Flip, turn, shift and brighten the training images at random.
    image_size
        Side of the square that the network sees, in pixels; by default the base model's.
    resize
        ``scale``, ``pad`` or ``stretch``, see :func:`imagine_lib.data.preprocessing.make_input_spec`; by default
        ``scale`` for classification, and ``pad`` to find things in images.
    mixed_precision
        Compute in 16 bits where the hardware is made for it.
    compile
        Let torch compile the network: pays on a GPU in long trainings.
    seed
        Of everything random.
    """

    epochs: int = 15
    patience: int | None = 8
    batch_size: int | None = None
    learning_rate: float = 3e-3
    layer_decay: float = 0.95
    weight_decay: float = 0.02
    warmup: float = 0.15
    head_first: bool = True
    average: float = 0.98
    balance: Balance = "auto"
    augment: bool = True
    image_size: int | None = None
    resize: Resize | None = None
    mixed_precision: bool = True
    compile: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in BOUNDS:
            value, kind = getattr(self, name), int if name in WHOLE else (int, float)
            if value is None and name in OPTIONAL:
                continue
            if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
                whole = "a whole number " if name in WHOLE else ""
                raise UsageError(f"Recipe: {name} must be {whole}between {low:g} and {high:g}, and is {value!r}.")
        for name in SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"Recipe: {name} is True or False, not {getattr(self, name)!r}.")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                known = ", ".join(repr(choice) for choice in choices if choice)
                raise UsageError(f"Recipe: {name} is one of {known}, not {getattr(self, name)!r}.")

    @classmethod
    def quick(cls, **changes: Any) -> Recipe:
        """Return a recipe for a first look: few epochs."""
        return replace(cls(epochs=5), **changes)

    @classmethod
    def best(cls, **changes: Any) -> Recipe:
        """Return a recipe for a model that is meant to last: as many epochs as still help."""
        return replace(cls(epochs=60, patience=15), **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the choices as plain data."""
        return asdict(self)


BOUNDS: tuple[tuple[str, float, float], ...] = (
    ("epochs", 1, 10_000),
    ("patience", 1, 10_000),
    ("batch_size", 2, 65_536),
    ("learning_rate", 1e-7, 10),
    ("layer_decay", 0.1, 1),
    ("weight_decay", 0, 1),
    ("warmup", 0, 0.9),
    ("average", 0, 0.99999),
    ("image_size", 16, 1024),
    ("seed", 0, 2**32 - 1),
)
"""What each number may be; a batch of one image has no average to normalise with."""

WHOLE = frozenset({"epochs", "patience", "batch_size", "image_size", "seed"})

OPTIONAL = frozenset({"patience", "batch_size", "image_size"})

SWITCHES = ("head_first", "augment", "mixed_precision", "compile")

CHOICES: dict[str, tuple[str | None, ...]] = {
    "resize": (None, "scale", "pad", "stretch"),
    "balance": ("auto", "none", "sampling", "logits"),
}
