"""One folder a class, the images anywhere below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.data.imageset import ImageItem, ImageSet
from imagine_lib.data.readers.reader import Reader
from imagine_lib.data.readers.text import counted
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from imagine_lib.data.readers.tree import Tree


def _recognises(tree: Tree) -> bool:
    return tree.location != ""  # the last that is asked: its sentences are the simplest


def _read(tree: Tree) -> ImageSet:
    if tree.file is not None:
        raise DataError(f"{tree.location} is a file: give the folder that holds one folder for each class.")
    names = [name for name in tree.images if "/" in name]
    if not names:
        raise DataError(
            f"{tree.root} holds no class folders with images: make one folder for each class, or give "
            "format='images' where there are no labels."
        )
    items = tuple(ImageItem(tree.content(name), name, label=name.split("/", 1)[0]) for name in names)
    labels = {item.label for item in items}
    remarks = [f"Class {name!r} holds no images and is left out." for name in tree.folders if name not in labels]
    loose = len(tree.images) - len(names)
    if loose:
        remarks.append(f"{counted(loose, 'image')} of {tree.root} in no class folder: left out.")
    if tree.links_out:
        number = counted(tree.links_out, "link")
        remarks.append(f"{number} in {tree.root} to files elsewhere: left out; copy the images themselves there.")
    return ImageSet(str(tree.root), items, format=READER.name, classes_declared=tree.folders, remarks=tuple(remarks))


READER = Reader("folders", "one folder a class", _recognises, _read)
