"""One folder a class, the images anywhere below it; the class folders may lie in ``train``, ``val`` and ``test``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.data.imageset import PARTS, ImageItem, ImageSet
from imagine_lib.data.readers.reader import Reader
from imagine_lib.data.readers.text import counted
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagine_lib.data.readers.tree import Tree

IFDO = b"image-set-items"
"""The key under which an iFDO lists its images."""


def _recognises(tree: Tree) -> bool:
    return tree.location != ""  # the last that is asked: its sentences are the simplest


def _read(tree: Tree) -> ImageSet:
    if tree.file is not None:
        raise DataError(f"{tree.location} is a file: give the folder that holds one folder for each class.")
    above = _wrapping(tree.images)
    names = [name for name in tree.images if "/" in name[len(above) :]]
    if len({_label(name, above) for name in names}) < 2:
        _require_no_ifdo(tree)
    if not names and tree.links:
        raise DataError(f"{tree.root} holds only links, such as {tree.links[0]!r}: copy there what they lead to.")
    if not names:
        raise DataError(
            f"{tree.root} holds no class folders with images: make one folder for each class, or give "
            "format='images' where there are no labels."
        )
    divided = _is_divided(names, above)
    items = tuple(_item(tree, name, above, divided) for name in names)
    labels = {item.label for item in items}
    tops = tree.folders if not above and not divided else ()
    remarks = [f"Class {name!r} holds no images and is left out." for name in tops if name not in labels]
    loose = len(tree.images) - len(names)
    if loose:
        remarks.append(f"{counted(loose, 'image')} of {tree.root} in no class folder: left out.")
    if tree.links:
        number = counted(len(tree.links), "link")
        remarks.append(f"{number} in {tree.root}, such as {tree.links[0]!r}: left out; copy there what they lead to.")
    return ImageSet(str(tree.root), items, format=READER.name, classes_declared=tops, remarks=tuple(remarks))


def _require_no_ifdo(tree: Tree) -> None:
    """Raise where what describes the images is an iFDO (image FAIR Digital Object, version 2)."""
    for name in tree.files(".yaml", ".yml", ".json"):
        if IFDO in tree.start(name):
            raise DataError(
                f"{tree.place(name)} is an iFDO, whose annotations are not read yet: give a table with a column of "
                "images and one of labels, or one folder for each class."
            )


def _label(name: str, above: str) -> str:
    return name[len(above) :].partition("/")[0]


def _wrapping(names: Sequence[str]) -> str:
    """Return the folders that hold all the others, as archives have them: a set has more than one class."""
    above = ""
    while True:
        tops = {_label(name, above) for name in names}
        deeper = all(name[len(above) :].count("/") > 1 for name in names)
        if len(tops) != 1 or not deeper:
            return above
        above += f"{tops.pop()}/"


def _is_divided(names: Sequence[str], above: str) -> bool:
    """Tell whether the class folders lie in folders called ``train``, ``val``, ``test``."""
    steps = [name[len(above) :].split("/") for name in names]
    return len({step[0] for step in steps}) > 1 and all(len(s) > 2 and s[0].lower() in PARTS for s in steps)


def _item(tree: Tree, name: str, above: str, divided: bool) -> ImageItem:
    steps = name[len(above) :].split("/")
    if divided:
        return ImageItem(tree.content(name), name, label=steps[1], part=PARTS[steps[0].lower()])
    return ImageItem(tree.content(name), name, label=steps[0])


READER = Reader("folders", "one folder a class", _recognises, _read)
