"""Gather the images that a list names, and what is odd about the list."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from imagine_lib.data.readers.text import counted
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from imagine_lib.data.imageset import ImageItem


class Collection:
    """The images of a list, each once.

    Parameters
    ----------
    place
        The list, as messages name it.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._found: dict[str, ImageItem] = {}
        self._missing: list[str] = []
        self._repeated: Counter[str] = Counter()
        self._disputed: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._found)

    def add(self, item: ImageItem, exists: bool) -> None:
        """Take an image; of one that was there before, boxes are added and a label that differs ends both."""
        before = self._found.get(item.name)
        if before is None:
            self._found[item.name] = item
            if not exists:
                self._missing.append(item.name)
        elif before.label is None and item.label is None and item.boxes is not None:
            boxes = dict.fromkeys((*(before.boxes or ()), *item.boxes))
            self._found[item.name] = replace(before, boxes=tuple(boxes))
        elif before.label == item.label and item.name not in self._disputed:
            self._repeated[item.name] += 1
        else:
            self._disputed[item.name] += 1
            self._found[item.name] = replace(before, label=None)

    def items(self) -> tuple[ImageItem, ...]:
        """Return the images, sorted by name.

        Raises
        ------
        DataError
            There are none, or none of them is there.
        """
        if not self._found:
            raise DataError(f"{self._place} names no images: write one line an image.")
        if len(self._missing) == len(self._found):
            raise DataError(
                f"None of the {counted(len(self._found), 'image')} that {self._place} names is there, for example "
                f"{self._missing[0]!r}: open the folder that holds both the lists and the images."
            )
        return tuple(self._found[name] for name in sorted(self._found))

    def remarks(self, unlabelled: bool = True) -> tuple[str, ...]:
        """Return what is odd, one sentence each; of images without a label only where asked to."""
        bare = (item.name for item in self._found.values() if item.label is None and item.boxes is None)
        without_label = [name for name in bare if unlabelled and name not in self._disputed]
        return (
            *self._remark([*self._repeated], "named more than once: what is said first counts"),
            *self._remark([*self._disputed], "named with different labels: no label is read"),
            *self._remark(without_label, "named without a label"),
            *self._remark(self._missing, "named, but not there"),
        )

    def _remark(self, names: list[str], what: str) -> tuple[str, ...]:
        if not names:
            return ()
        number = f"{counted(len(names), 'image')} {'is' if len(names) == 1 else 'are'}"
        return (f"{number} {what} ({self._place}; for example {names[0]!r}).",)
