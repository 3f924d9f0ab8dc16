"""What a reader is: two functions and a name. A new one is one file here and one line in ``READERS``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagine_lib.data.imageset import ImageSet
    from imagine_lib.data.readers.tree import Tree


@dataclass(frozen=True)
class Reader:
    """Reads one format."""

    name: str
    """As in ``open_dataset(path, format=name)``."""
    about: str
    """What it reads, in a few words, for lists and errors."""
    recognises: Callable[[Tree], bool]
    """Tells, by a look at names and first lines, whether a set has this format; raises nothing but DataError."""
    read: Callable[[Tree], ImageSet]
    """Reads it; images are not decoded. Raises DataError with one sentence where it cannot be used at all; what can
    be left out is left out and told in ``remarks``."""
