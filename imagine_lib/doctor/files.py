"""Images that cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.data.images import MAX_PIXELS, UNSUPPORTED
from imagine_lib.data.readers.text import counted
from imagine_lib.doctor.finding import Finding, about_images

if TYPE_CHECKING:
    from imagine_lib.data.imageset import ImageSet


def check_files(data: ImageSet) -> list[Finding]:
    """Find images that are missing or no images, cut short, too large, or of a kind that is not decoded."""
    unreadable, truncated, huge, unsupported = [], [], [], []
    for index in sorted(data.looks.errors):
        look = data.looks[index]
        if data.looks.errors[index].endswith(UNSUPPORTED):
            unsupported.append(index)
        elif not look.width:
            unreadable.append(index)
        elif look.width * look.height > MAX_PIXELS:
            huge.append(index)
        else:
            truncated.append(index)
    return [
        *about_images(
            data,
            unreadable,
            "unreadable",
            "error",
            f"{counted(len(unreadable), 'file')} cannot be read as an image: missing, empty, or something else.",
            "Copy them again from their source, or remove them.",
        ),
        *about_images(
            data,
            truncated,
            "truncated",
            "error",
            f"{counted(len(truncated), 'image')} damaged or cut short.",
            "Copy them again from their source, or remove them.",
        ),
        *about_images(
            data,
            huge,
            "too-large",
            "error",
            f"{counted(len(huge), 'image')} of more than {MAX_PIXELS // 1_000_000} million pixels: not decoded.",
            "Cut them into smaller images.",
        ),
        *about_images(
            data,
            unsupported,
            "unsupported",
            "error",
            f"{counted(len(unsupported), 'image')} with more than 8 bits for each colour, or several pictures in one "
            "file: not decoded.",
            "Save them with 8 bits for each colour or in grey, and each picture as a file of its own.",
        ),
    ]
