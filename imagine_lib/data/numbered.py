"""Masks as they lie on disk: images whose pixels are the numbers of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import ImageOps

from imagine_lib.data.images import MAX_PIXELS, open_image
from imagine_lib.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imagine_lib.data.content import Content

NO_CLASS = 255

NUMBERED = ("1", "L", "P", "I", "I;16", "I;16B")
"""Pillow's kinds of images whose pixels are numbers and no colours."""


def read_numbers(content: Content) -> NDArray[Any] | None:
    """Return the number in each pixel of a mask, shape (height, width); None where it cannot be read.

    Raises
    ------
    DataError
        It is a picture in colours.
    """
    try:
        with open_image(content.read()) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            kind = image.mode
            numbers: NDArray[Any] = np.asarray(ImageOps.exif_transpose(image))
    except Exception:
        return None
    if kind not in NUMBERED:
        raise DataError(f"{content.place} is a picture in colours: a mask has the number of a class in each pixel.")
    return numbers
