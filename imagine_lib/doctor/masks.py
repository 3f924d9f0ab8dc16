"""Masks that do not fit their image or their classes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from imagine_lib.data.numbered import NO_CLASS, read_numbers
from imagine_lib.data.readers.text import counted
from imagine_lib.doctor.finding import Finding, about_images
from imagine_lib.errors import DataError
from imagine_lib.hardware import processors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imagine_lib.data.content import Content
    from imagine_lib.data.imageset import ImageSet

LOOKED_AT = 500
"""Masks that are decoded; they are spread evenly over the set."""


def check_masks(data: ImageSet) -> list[Finding]:
    """Find masks that cannot be read, of another size than their image, or with values that are no class."""
    masked = [index for index, item in enumerate(data.items) if item.mask is not None]
    looked_at = masked[:: max(1, -(-len(masked) // LOOKED_AT))]
    unreadable, odd_size, strange = [], [], dict[int, list[int]]()
    with ThreadPoolExecutor(processors()) as pool:
        seen = pool.map(lambda index: _look(data.items[index].mask), looked_at)
        for index, mask in zip(looked_at, seen, strict=True):
            look = data.looks[index]
            if mask is None:
                unreadable.append(index)
                continue
            size, numbers = mask
            if look.width and size != (look.width, look.height):
                odd_size.append(index)
            without = [value for value in numbers.tolist() if value >= len(data.classes) and value != NO_CLASS]
            if without:
                strange[index] = without
    sample = f" of the {len(looked_at)} looked at" if len(looked_at) < len(masked) else ""
    values = sorted({value for found in strange.values() for value in found})
    listed = ", ".join(map(str, values[:10]))
    return [
        *about_images(
            data,
            unreadable,
            "mask-unreadable",
            "error",
            f"{counted(len(unreadable), 'mask')}{sample} not readable as a picture of class numbers.",
            "Save them as 8-bit grey or indexed PNG, with the number of a class in each pixel.",
        ),
        *about_images(
            data,
            odd_size,
            "mask-size",
            "error",
            f"{counted(len(odd_size), 'mask')}{sample} of another size than the image.",
            "Export the masks again in the size of the images, without smoothing.",
        ),
        *about_images(
            data,
            [*strange],
            "mask-value-without-class",
            "error",
            f"{counted(len(strange), 'mask')}{sample} with numbers that are no class: {listed}.",
            "Name these numbers in the list of classes, or write 255 where nothing is to be learned.",
        ),
    ]


def _look(mask: Content | None) -> tuple[tuple[int, int], NDArray[np.int64]] | None:
    """Return size and numbers of a mask; None where it cannot be read, or holds colours."""
    if mask is None:
        return None
    try:
        numbers = read_numbers(mask)
    except DataError:
        return None
    return None if numbers is None else (numbers.shape[::-1], np.unique(numbers.astype(np.int64)))
