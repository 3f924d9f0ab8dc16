"""An ``ImageSet``: images, what is known of each, and the group that it belongs to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from imagine_lib.wire import Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from imagine_lib.data.content import Content
    from imagine_lib.data.duplicates import Duplicates
    from imagine_lib.data.looks import Looks
    from imagine_lib.data.splits import Split
    from imagine_lib.doctor import Diagnosis

NOTHING: Mapping[str, str] = MappingProxyType({})

Part = Literal["train", "select", "calibrate", "test"]

PARTS: dict[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "select"), "select"),
    **dict.fromkeys(("calibrate", "calibration"), "calibrate"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What folders, files and columns call the parts, in lower case."""


@dataclass(frozen=True, slots=True)
class Box:
    """A labelled rectangle in an image, in pixels from its top left corner."""

    label: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class ImageItem:
    """One image of a set."""

    content: Content
    """Where its bytes lie."""
    name: str
    """How the user knows it: its path below the set's folder, with ``/``."""
    label: str | None = None
    """Its class; None for an image without a label."""
    boxes: tuple[Box, ...] | None = None
    """What is on it, for detection; an empty tuple says that nothing is."""
    mask: Content | None = None
    """An image whose values are the numbers of classes, for segmentation."""
    sample: str | None = None
    """The sample that it was taken from, as counts are reported."""
    group: str | None = None
    """Images of one group (a sample, a cruise, an individual) are never split apart."""
    part: Part | None = None
    """Which part the set's own files put it in."""
    facts: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """What else the set says of it, such as date and place; images of one sample share one mapping."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How much water a sample stands for."""

    volume: float | None = None
    """Water that was filtered or imaged, in litres."""
    subsampling: float = 1.0
    """How many times more was in the sample than was imaged."""


@dataclass(frozen=True)
class ImageSet:
    """Images of one kind, in a fixed order.

    Make one with :func:`open_dataset`.
    """

    source: str
    items: tuple[ImageItem, ...]
    task: Task = Task.CLASSIFICATION
    format: str = "images"
    """Which reader read it."""
    grouping: str | None = None
    """The rule that gave the groups, as the user wrote it or as the reader has it."""
    classes_declared: tuple[str, ...] = ()
    """Classes that the set's files name, with or without images; for masks, in the order of their numbers."""
    taxa: Mapping[str, int] = field(default_factory=dict)
    """WoRMS AphiaID by class, where the set's files give it."""
    samples: Mapping[str, Sample] = field(default_factory=dict)
    """By the name in :attr:`ImageItem.sample`."""
    remarks: tuple[str, ...] = ()
    """What the reader left out or found odd, one sentence each."""

    @cached_property
    def classes(self) -> list[str]:
        """The classes that occur, sorted; for masks all that are declared."""
        if self.task == Task.SEGMENTATION:
            return list(self.classes_declared)
        return sorted(self.counts)

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many images (for detection: boxes) each class has."""
        labels = (item.label for item in self.items if item.label is not None)
        boxes = (box.label for item in self.items for box in item.boxes or ())
        found = Counter(boxes if self.task == Task.DETECTION else labels)
        return {label: found[label] for label in sorted(found)}

    @cached_property
    def labelled(self) -> ImageSet:
        """The images that can be learned from."""
        keys = {Task.CLASSIFICATION: "label", Task.DETECTION: "boxes", Task.SEGMENTATION: "mask"}
        key = keys[self.task]
        rows = [index for index, item in enumerate(self.items) if getattr(item, key) is not None]
        return self if len(rows) == len(self) else self.subset(rows)

    def __len__(self) -> int:
        return len(self.items)

    def subset(self, indices: Sequence[int]) -> ImageSet:
        """Return the images at some positions, in the order given."""
        chosen = replace(self, items=tuple(self.items[index] for index in indices))
        for known in {"looks", "duplicates"} & vars(self).keys():
            vars(chosen)[known] = vars(self)[known].take(indices)
        return chosen

    @cached_property
    def looks(self) -> Looks:
        """What one look at each image tells: hash, size, depth, or why it cannot be read; decodes every image."""
        from imagine_lib.data.looks import take_looks

        return take_looks(self.items)

    @cached_property
    def duplicates(self) -> Duplicates:
        """Which images are copies of which."""
        from imagine_lib.data.duplicates import find_duplicates

        return find_duplicates(self.items, self.looks)

    def without_rare_classes(self, images: int = 3, groups: int = 3) -> ImageSet:
        """Return the set without the classes that are too rare to learn and to test.

        Parameters
        ----------
        images
            Images (for detection: boxes) that a class must have.
        groups
            Groups that they must lie in; images without a group are one each, near duplicates count as one.

        Returns
        -------
        ImageSet
            Images that show a rare class are left out as a whole: an organism without its box would be taught as
            background. What was left out is added to :attr:`remarks`.

        Raises
        ------
        UsageError
            The set has masks.
        """
        from imagine_lib.data.rarity import drop_rare_classes

        return drop_rare_classes(self, images, groups)

    def split(self, seed: int = 0, fractions: Sequence[float] | None = None) -> Split:
        """Divide the set into the images to train, select, calibrate and test with.

        Parameters
        ----------
        seed
            The same seed gives the same split.
        fractions
            Shares of the four parts, or of three: then one part serves to select and to calibrate. By default by
            the size of the set. Where the set's own files say what is for what, they are followed.

        Returns
        -------
        Split
            Stratified by class; images of one group, and near duplicates, stay together.

        Raises
        ------
        DataError
            There are fewer than two classes, or a class has too few images to be in every part.
        """
        from imagine_lib.data.splitting import split_set

        return split_set(self, seed, fractions)

    def check(self) -> Diagnosis:
        """Look for what would spoil a training: see :mod:`imagine_lib.doctor`."""
        from imagine_lib.doctor import diagnose

        return diagnose(self)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row an image: ``image``, ``label``, ``sample``, ``group``, ``part``."""
        import pandas as pd

        rows = [(item.name, item.label, item.sample, item.group, item.part) for item in self.items]
        return pd.DataFrame(rows, columns=["image", "label", "sample", "group", "part"])

    def __repr__(self) -> str:
        classes = f", {len(self.classes)} classes" if self.classes else ", no labels"
        return f"<ImageSet {self.source}: {len(self)} images{classes}>"
