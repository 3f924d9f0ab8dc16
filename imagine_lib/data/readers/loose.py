"""Images without labels, in whatever folders; never found by looking, because nothing tells them from a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.data.imageset import ImageItem, ImageSet
from imagine_lib.data.readers.reader import Reader
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from imagine_lib.data.readers.tree import Tree


def _recognises(_: Tree) -> bool:
    return False


def _read(tree: Tree) -> ImageSet:
    if not tree.images:
        raise DataError(f"{tree.root} holds no images.")
    items = tuple(ImageItem(tree.content(name), name) for name in tree.images)
    return ImageSet(str(tree.root), items, format=READER.name)


READER = Reader("images", "images without labels, to be named so", _recognises, _read)
