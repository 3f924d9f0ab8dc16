"""Open images where they lie: find the reader, copy what lies in Nextcloud, give each image its group."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imagine_lib.data.content import FileContent
from imagine_lib.data.imageset import ImageItem, ImageSet, Sample
from imagine_lib.data.readers import class_folders, ecotaxa, find_reader, ifcb, open_tree
from imagine_lib.errors import DataError, UsageError
from imagine_lib.storage import is_remote, stage

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from imagine_lib.data.readers.tree import Tree

WORD = re.compile(r"[\w -]+")
"""What names a column; a rule with any other sign in it is a regular expression, unless a column is called so."""


LISTS_ALL = frozenset({ecotaxa.READER.name, ifcb.READER.name})
"""Formats whose tables say which files are objects: the others beside them are not to be looked at."""


def open_dataset(
    path: str | os.PathLike[str],
    group: str | None = None,
    format: str | None = None,  # the word that users know
) -> ImageSet:
    r"""Open a set of images with their labels.

    Parameters
    ----------
    path
        A folder, a zip archive or a table on this machine, or ``nextcloud:/folder``, which is copied here first.
    group
        Which images belong together: a regular expression with one capturing group, matched on the path of each
        image below the folder, for example ``r"(D\d+T\d+)_"``; or a column of the set's table, like ``sample_id``.
        By default the reader's own sample, where the format has one.
    format
        The reader's name; by default found by looking.

    Returns
    -------
    ImageSet
        The images in sorted order. What was left out is said as a warning.

    Raises
    ------
    DataError
        It is missing, or the reader cannot use it.
    UsageError
        The group rule or the format cannot be used.
    """
    root = _local_path(path)
    try:
        tree = open_tree(root)
        found = find_reader(tree, format).read(tree)
    except (DataError, UsageError) as error:
        raise type(error)(_as_named(str(error), root, path)) from None
    for remark in found.remarks:
        warnings.warn(_as_named(remark, root, path), UserWarning, stacklevel=2)
    remarks = tuple(_as_named(remark, root, path) for remark in found.remarks)
    return _grouped(replace(found, source=str(path), remarks=remarks), group)


def open_images(paths: Sequence[str | os.PathLike[str]]) -> ImageSet:
    """Open images without labels: files, folders (with what is below them), zips and ``nextcloud:/`` paths.

    Parameters
    ----------
    paths
        What to open.

    Returns
    -------
    ImageSet
        A file that is named is always in it, also when it turns out to be no image, or, among others, not to be. A
        folder that is an EcoTaxa or IFCB set, or has a table of its images, is read as such, with its samples and
        facts; images that no table lists are in it too.

    Raises
    ------
    DataError
        A path does not exist, a folder holds no image, or two folders give a sample different volumes.
    """
    items: list[ImageItem] = []
    samples: dict[str, Sample] = {}
    for path in paths:
        local = _local_path(path, must_exist=len(paths) == 1)
        if local.is_dir() or (local.suffix.lower() == ".zip" and local.is_file()):
            found = _read_unlabelled(path, local)
            for name, sample in found.samples.items():
                if samples.setdefault(name, sample) != sample:
                    raise DataError(f"{path} gives sample {name!r} another volume of water: open it by itself.")
            items += found.items
        else:
            items.append(ImageItem(FileContent(local), str(path)))
    return ImageSet(", ".join(str(path) for path in paths), tuple(items), samples=samples)


def _read_unlabelled(path: str | os.PathLike[str], local: Path) -> ImageSet:
    try:
        tree = open_tree(local)
        found = _known_set(tree)
    except DataError as error:
        raise DataError(_as_named(str(error), local, path)) from None
    for remark in found.remarks:
        warnings.warn(_as_named(remark, local, path), UserWarning, stacklevel=4)
    if not found.items:
        raise DataError(f"{path} holds no images.")
    start = str(path).rstrip("/")
    bare = (replace(item, name=f"{start}/{item.name}", label=None, boxes=None, mask=None) for item in found.items)
    return replace(found, items=tuple(bare))


def _known_set(tree: Tree) -> ImageSet:
    """Read a set with what its tables say; where they cannot be used, and in plain folders, its images alone."""
    plain = ImageSet(tree.location, tuple(ImageItem(tree.content(name), name) for name in tree.images))
    reader = find_reader(tree)
    if reader is class_folders.READER:
        return plain
    try:
        found = reader.read(tree)
    except DataError:
        if not plain.items:
            raise
        return plain
    if reader.name in LISTS_ALL:
        return found
    listed = {content for item in found.items for content in (item.content, item.mask)}
    return replace(found, items=(*found.items, *(item for item in plain.items if item.content not in listed)))


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


def _as_named(sentence: str, root: Path, path: str | os.PathLike[str]) -> str:
    """Write the set's place as the user named it: nobody knows the cache folder of a copy."""
    if not is_remote(path):
        return sentence
    parent = str(path).rstrip("/").rpartition("/")[0] if root.is_file() else ""
    named = sentence.replace(str(root), str(path))
    return named.replace(str(root.parent), parent) if parent else named


def _grouped(data: ImageSet, rule: str | None) -> ImageSet:
    if rule is None:
        return data
    is_column = WORD.fullmatch(rule) or any(rule in item.facts for item in data.items[:1])
    group_of = _by_column(rule, data) if is_column else _by_path(rule)
    return replace(data, items=tuple(replace(item, group=group_of(item)) for item in data.items), grouping=rule)


def _by_path(rule: str) -> Callable[[ImageItem], str]:
    try:
        pattern = re.compile(rule)
    except re.error as error:
        raise UsageError(f"The group rule {rule!r} is not a regular expression: {error}.") from None
    if pattern.groups != 1:
        raise UsageError(f"The group rule {rule!r} needs exactly one pair of parentheses, around the group's name.")

    def group_of(item: ImageItem) -> str:
        found = pattern.search(item.name)
        if found is None or found.group(1) is None:
            raise UsageError(f"The group rule {rule!r} finds no group in {item.name!r}.")
        return found.group(1)

    return group_of


def _by_column(rule: str, data: ImageSet) -> Callable[[ImageItem], str]:
    def group_of(item: ImageItem) -> str:
        found = item.facts.get(rule)
        if found:
            return found
        if found is not None:
            raise UsageError(f"{data.source} has nothing in column {rule!r} for {item.name!r}: fill it in.")
        columns = ", ".join(sorted(item.facts))
        known = f"there are {columns}" if columns else "it has none"
        raise UsageError(
            f"{data.source} has no column {rule!r} for {item.name!r} ({known}); a rule on the path of the "
            "images needs a pair of parentheses around the group's name."
        )

    return group_of
