"""A folder ``images`` and a folder ``masks`` with the same names: a pixel of a mask holds the number of its class.

``classes.txt`` names the classes by line, from 0; ``classes.csv`` by number and name. Without either they are called
after the numbers that occur. Number 255 means "no class" where the others are small, as is the custom.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.data.imageset import ImageItem, ImageSet
from imagine_lib.data.numbered import NO_CLASS, read_numbers
from imagine_lib.data.readers.reader import Reader
from imagine_lib.data.readers.text import counted, first_line, read_lines, read_rows
from imagine_lib.data.readers.tree import composed
from imagine_lib.errors import DataError
from imagine_lib.wire import Task

if TYPE_CHECKING:
    from imagine_lib.data.content import Content
    from imagine_lib.data.readers.tree import Tree

IMAGES, MASKS = "images/", "masks/"

LOOKED_AT = 500
"""Masks that are decoded to find the classes; they are spread evenly over the set."""


def _recognises(tree: Tree) -> bool:
    """Beside other folders with images, ``images`` and ``masks`` are two classes."""
    folders = {name.partition("/")[0] + "/" for name in tree.images if "/" in name} if tree.file is None else set()
    return folders == {IMAGES, MASKS}


def _read(tree: Tree) -> ImageSet:
    images = [name for name in tree.images if name.startswith(IMAGES)]
    masks = [name for name in tree.images if name.startswith(MASKS)]
    named = {_stem(name, MASKS): name for name in reversed(masks)} | {name: name for name in masks}
    if not images or not masks:
        raise DataError(
            f"{tree.location} needs a folder 'images' and a folder 'masks' with images of the same names."
        )
    items = []
    taken: Counter[str] = Counter()
    for name in images:
        mask = named.get(MASKS + name[len(IMAGES) :]) or named.get(_stem(name, IMAGES))
        taken.update([mask] if mask else [])
        items.append(ImageItem(tree.content(name), name, mask=None if mask is None else tree.content(mask)))
    used = [item.mask for item in items if item.mask is not None]
    if not used:
        raise DataError(f"No mask in {tree.root}/masks has the name of an image in {tree.root}/images: rename them.")
    classes, remarks = _classes(tree, used)
    bare = len(items) - len(used)
    if bare:
        remarks.append(f"{counted(bare, 'image')} in {tree.root}/images without a mask.")
    alone = [mask for mask in masks if mask not in taken]
    if alone:
        remarks.append(f"{counted(len(alone), 'mask')} without an image, such as {alone[0]!r}: left out.")
    shared = [mask for mask in taken if taken[mask] > 1]
    if shared:
        number = counted(len(shared), "mask")
        remarks.append(f"{number} of several images whose names differ in their ending, such as {shared[0]!r}.")
    return ImageSet(
        tree.location,
        tuple(items),
        task=Task.SEGMENTATION,
        format=READER.name,
        classes_declared=tuple(classes),
        remarks=tuple(remarks),
    )


def _stem(name: str, folder: str) -> str:
    return composed(posixpath.splitext(name[len(folder) :])[0])


def _classes(tree: Tree, masks: list[Content]) -> tuple[list[str], list[str]]:
    """Return the classes, each at the place of its number, and what is odd about them."""
    if tree.has("classes.csv"):
        return _numbered_classes(tree), []
    if tree.has("classes.txt"):
        classes = read_lines(tree, "classes.txt")
        if not classes or "" in classes:
            raise DataError(
                f"{tree.place('classes.txt')} has an empty line: its first line is class 0, its second class 1."
            )
        return _unique(classes, tree.place("classes.txt")), []
    return _found_classes(tree, masks)


def _numbered_classes(tree: Tree) -> list[str]:
    place = tree.place("classes.csv")
    content = tree.read("classes.csv")
    separator = max(",;\t", key=first_line(content).count)
    names: dict[int, str] = {}
    for index, row in enumerate(read_rows(content, separator, place)):
        number = re.fullmatch(r"\d{1,3}", row[0], re.ASCII)
        if number is None and index == 0:
            continue
        if number is None or int(number[0]) > NO_CLASS or len(row) < 2 or not row[1]:
            raise DataError(
                f"{place} has a line {separator.join(row)[:60]!r}: write a number from 0 to 255 and a name."
            )
        if int(number[0]) in names:
            raise DataError(f"{place} names class {number[0]} twice: remove one of the lines.")
        names[int(number[0])] = row[1]
    if not names:
        raise DataError(f"{place} names no classes: write one line a class, with its number and its name.")
    return _unique([names.get(number, f"class {number}") for number in range(max(names) + 1)], place)


def _unique(classes: list[str], place: str) -> list[str]:
    twice = sorted(name for name in set(classes) if classes.count(name) > 1)
    if twice:
        raise DataError(f"{place} gives two numbers the name {twice[0]!r}: give each class a name of its own.")
    return classes


def _found_classes(tree: Tree, masks: list[Content]) -> tuple[list[str], list[str]]:
    looked_at = masks[:: max(1, -(-len(masks) // LOOKED_AT))]
    values: set[int] = set()
    for mask in looked_at:
        values |= _values(mask)
    if not values:
        raise DataError(f"No mask in {tree.root}/masks can be read: copy them again from their source.")
    if values == {0, NO_CLASS}:
        raise DataError(
            f"The masks in {tree.root}/masks are black and white (0 and 255): write 0 and 1 into them, or name the "
            "classes 0 and 255 in classes.csv."
        )
    rest = values - {NO_CLASS}
    ignored = NO_CLASS in values and len(rest) > 0 and max(rest) < NO_CLASS - 1
    highest = max(rest) if ignored else max(values)
    if highest > NO_CLASS:
        raise DataError(f"The masks in {tree.root}/masks hold numbers up to {highest}: a class has a number to 255.")
    remarks = [
        f"{tree.root} names no classes: they are called after the numbers in {counted(len(looked_at), 'mask')}."
    ]
    if ignored:
        remarks.append("Number 255 in the masks is read as no class: name it in classes.csv if it is one.")
    return [f"class {number}" for number in range(highest + 1)], remarks


def _values(mask: Content) -> set[int]:
    """Return the numbers in a mask; none where it cannot be read, which reading it reports."""
    numbers = read_numbers(mask)
    return set() if numbers is None else {int(number) for number in np.unique(numbers)}


READER = Reader("masks", "a folder of images and one of masks", _recognises, _read)
