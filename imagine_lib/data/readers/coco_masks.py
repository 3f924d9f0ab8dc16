"""COCO JSON whose outlines (``segmentation``) are masks; never found by looking, because such a file has boxes too.

What lies in no outline is the class ``background``. An image with an annotation that cannot be drawn has no mask:
what it shows would be taught as background.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from imagine_lib.data.images import MAX_PIXELS
from imagine_lib.data.imageset import ImageItem, ImageSet
from imagine_lib.data.numbered import NO_CLASS
from imagine_lib.data.outlines import OutlinedMask, checked_outline
from imagine_lib.data.readers.coco import CocoFile, key_of, open_files
from imagine_lib.data.readers.collecting import Collection
from imagine_lib.data.readers.reader import Reader
from imagine_lib.data.readers.text import counted
from imagine_lib.errors import DataError
from imagine_lib.wire import Task

if TYPE_CHECKING:
    from imagine_lib.data.readers.tree import Tree

BACKGROUND = "background"


def _recognises(_: Tree) -> bool:
    return False


def _read(tree: Tree) -> ImageSet:
    files = open_files(tree)
    named = {name for file in files for name in file.categories.values()}
    classes = [BACKGROUND, *sorted(named - {BACKGROUND})]
    if len(classes) > NO_CLASS:
        raise DataError(f"{tree.location} has {len(named)} categories, but a mask has 254 at most: merge some.")
    numbers = {name: number for number, name in enumerate(classes)}
    images = Collection(tree.location)
    remarks: list[str] = []
    for file in files:
        _read_masks(file, numbers, images)
        remarks += file.remarks()
    items = images.items()
    bare = sum(item.mask is None for item in items)
    if bare:
        remarks.append(f"{counted(bare, 'image')} of {tree.location} without a mask.")
    return ImageSet(
        tree.location,
        items,
        task=Task.SEGMENTATION,
        format=READER.name,
        classes_declared=tuple(classes),
        remarks=(*remarks, *(remark for remark in images.remarks(unlabelled=False))),
    )


def _read_masks(file: CocoFile, numbers: dict[str, int], images: Collection) -> None:
    drawn: dict[str, list[tuple[int, Any]]] = {}
    for entry, image, label in file.annotations():
        outline = entry.get("segmentation") if label is not None else None
        drawn.setdefault(image, []).append((numbers.get(label or "", 0), outline))
    for entry, item, exists in file.images():
        number = key_of(entry.get("id"))
        mask = _mask(file, entry, item, drawn.pop(number, [])) if file.annotated and number else None
        images.add(replace(item, mask=mask), exists)
    file.odd["outline of an image that is not listed"] += sum(map(len, drawn.values()))


def _mask(
    file: CocoFile, entry: dict[str, Any], item: ImageItem, drawn: list[tuple[int, Any]]
) -> OutlinedMask | None:
    width, height = entry.get("width"), entry.get("height")
    if type(width) is not int or type(height) is not int or min(width, height) < 1 or width * height > MAX_PIXELS:
        file.odd["mask of an image without a usable width and height"] += 1
        return None
    outlines = [(number, checked_outline(outline, width, height)) for number, outline in drawn]
    whole = tuple((number, outline) for number, outline in outlines if outline is not None)
    if len(whole) < len(outlines):
        file.odd["mask of an image with an annotation that has no usable outline"] += 1
        return None
    return OutlinedMask(f"the mask of {item.name} in {file.place}", width, height, whole)


READER = Reader("coco-masks", "COCO JSON with outlines as masks, to be named so", _recognises, _read)
