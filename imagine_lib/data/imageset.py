"""An ``ImageSet``: images, their labels where they have some, and the group that each belongs to."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from imagine_lib.data.images import SUFFIXES
from imagine_lib.errors import DataError, UsageError
from imagine_lib.storage import is_remote, stage

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd

    from imagine_lib.data.splits import Split


@dataclass(frozen=True)
class ImageItem:
    """One image of a set."""

    path: Path
    """Where it lies on this machine."""
    name: str
    """How the user knows it: its path below the set's folder, with ``/``."""
    label: str | None = None
    group: str | None = None
    """Images of one group (a sample, a cruise, an individual) are never split apart."""


@dataclass(frozen=True)
class ImageSet:
    """Images of one kind, in a fixed order.

    Make one with :func:`open_dataset`.
    """

    source: str
    items: tuple[ImageItem, ...]
    grouping: str | None = None
    """The rule that gave the groups, as the user wrote it."""

    @cached_property
    def classes(self) -> list[str]:
        """The labels that occur, sorted."""
        return sorted({item.label for item in self.items if item.label is not None})

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many images each class has."""
        found = Counter(item.label for item in self.items if item.label is not None)
        return {label: found[label] for label in self.classes}

    def __len__(self) -> int:
        return len(self.items)

    def subset(self, indices: Sequence[int]) -> ImageSet:
        """Return the images at some positions, in the order given."""
        return replace(self, items=tuple(self.items[index] for index in indices))

    def split(self, seed: int = 0, fractions: tuple[float, float, float] = (0.7, 0.1, 0.2)) -> Split:
        """Divide the set into training, validation and test images.

        Parameters
        ----------
        seed
            The same seed gives the same split.
        fractions
            Shares of training, validation and test; they add up to 1.

        Returns
        -------
        Split
            Stratified by class; images of one group stay together.

        Raises
        ------
        DataError
            There are fewer than two classes, or a class has too few images to be in every part.
        """
        from imagine_lib.data.splits import split_set

        return split_set(self, seed, fractions)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row an image: ``image``, ``label``, ``group``."""
        import pandas as pd

        rows = [(item.name, item.label, item.group) for item in self.items]
        return pd.DataFrame(rows, columns=["image", "label", "group"])

    def __repr__(self) -> str:
        classes = f", {len(self.classes)} classes" if self.classes else ", no labels"
        return f"<ImageSet {self.source}: {len(self)} images{classes}>"


def open_dataset(path: str | os.PathLike[str], group: str | None = None) -> ImageSet:
    r"""Open a folder with one subfolder a class.

    Parameters
    ----------
    path
        A folder on this machine, or ``nextcloud:/folder``, which is copied here first.
    group
        A regular expression with one capturing group, matched on the path of each image below the folder; what it
        captures is the image's group, for example ``r"(D\d+T\d+)_"``.

    Returns
    -------
    ImageSet
        The images in sorted order. An empty class folder is left out, with a warning.

    Raises
    ------
    DataError
        The folder is missing or holds no class folders with images.
    UsageError
        The group rule cannot be used.
    """
    root = _local_folder(path)
    _warn_of_empty_classes(root)
    names = [name for name in _list_images(root) if "/" in name]
    if not names:
        raise DataError(f"{path} holds no class folders with images: make one folder for each class.")
    rule = _compile_rule(group)
    items = tuple(
        ImageItem(root / name, name, label=name.split("/", 1)[0], group=_group_of(name, rule)) for name in names
    )
    return ImageSet(str(path), items, grouping=group)


def open_images(paths: Sequence[str | os.PathLike[str]]) -> ImageSet:
    """Open images without labels: files, folders (with what is below them) and ``nextcloud:/`` paths.

    Parameters
    ----------
    paths
        What to open.

    Returns
    -------
    ImageSet
        A file that is named is always in it, also when it turns out to be no image, or, among others, not to be.

    Raises
    ------
    DataError
        A path does not exist, or a folder holds no image.
    """
    items: list[ImageItem] = []
    for path in paths:
        local = _local_path(path, must_exist=len(paths) == 1)
        if local.is_dir():
            below = [ImageItem(local / name, f"{str(path).rstrip('/')}/{name}") for name in _list_images(local)]
            if not below:
                raise DataError(f"{path} holds no images.")
            items += below
        else:
            items.append(ImageItem(local, str(path)))
    return ImageSet(", ".join(str(path) for path in paths), tuple(items))


def _local_path(path: str | os.PathLike[str], must_exist: bool = True) -> Path:
    if is_remote(path):
        try:
            return stage(str(path))
        except FileNotFoundError:
            raise DataError(f"{path} does not exist.") from None
    local = Path(path).expanduser()
    if must_exist and not local.exists():
        raise DataError(f"{path} does not exist.")
    return local


def _local_folder(path: str | os.PathLike[str]) -> Path:
    local = _local_path(path)
    if not local.is_dir():
        raise DataError(f"{path} is a file: give the folder that holds one folder for each class.")
    return local


def _list_images(root: Path) -> list[str]:
    names = (file.relative_to(root) for file in root.rglob("*") if file.suffix.lower() in SUFFIXES)
    return sorted(name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts))


def _warn_of_empty_classes(root: Path) -> None:
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and not folder.name.startswith(".") and not _list_images(folder):
            warnings.warn(f"Class {folder.name!r} holds no images and is left out.", UserWarning, stacklevel=3)


def _compile_rule(group: str | None) -> re.Pattern[str] | None:
    if group is None:
        return None
    try:
        rule = re.compile(group)
    except re.error as error:
        raise UsageError(f"The group rule '{group}' is not a regular expression: {error}.") from None
    if rule.groups != 1:
        raise UsageError(f"The group rule '{group}' needs exactly one pair of parentheses, around the group's name.")
    return rule


def _group_of(name: str, rule: re.Pattern[str] | None) -> str | None:
    if rule is None:
        return None
    found = rule.search(name)
    if found is None:
        raise UsageError(f"The group rule '{rule.pattern}' finds no group in {name!r}.")
    return found.group(1)
