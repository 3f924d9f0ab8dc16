"""The formats that researchers keep their images and labels in, each read by one small file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.data.readers import (
    biigle,
    class_folders,
    coco,
    coco_masks,
    ecotaxa,
    ifcb,
    loose,
    masks,
    split_files,
    table,
    voc,
    yolo,
)
from imagine_lib.data.readers.folder_tree import FolderTree
from imagine_lib.data.readers.zip_tree import ZipTree
from imagine_lib.errors import DataError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.data.readers.reader import Reader
    from imagine_lib.data.readers.tree import Tree

READERS = (
    ifcb.READER,
    ecotaxa.READER,
    split_files.READER,
    yolo.READER,
    voc.READER,
    coco.READER,
    masks.READER,
    biigle.READER,
    table.READER,
    class_folders.READER,
    loose.READER,
    coco_masks.READER,
)
"""In the order in which they are asked whether a set is theirs: the choosy ones first."""


def open_tree(path: Path) -> Tree:
    """Return the files of a folder, of a zip archive, or of a file and what lies beside it.

    Raises
    ------
    DataError
        An archive is damaged or hostile.
    """
    if path.is_dir():
        return FolderTree(path)
    if path.suffix.lower() == ".zip":
        return ZipTree(path)
    return FolderTree(path.parent, path.name)


def find_reader(tree: Tree, name: str | None = None) -> Reader:
    """Return the reader of a name, or the first that recognises a set.

    Raises
    ------
    UsageError
        There is no such reader, or none recognises the set.
    """
    for reader in READERS:
        if reader.name == name or (name is None and _is_its(reader, tree)):
            return reader
    known = ", ".join(f"{reader.name} ({reader.about})" for reader in READERS)
    if name is not None:
        raise UsageError(f"There is no format {name!r}; there are {known}.")
    raise UsageError(f"{tree.location} has none of the known formats: {known}.")


def _is_its(reader: Reader, tree: Tree) -> bool:
    try:
        return reader.recognises(tree)
    except DataError:  # a file that cannot be read tells nothing
        return False
