"""What a report is made of, and how it becomes HTML: words, tables and pictures, with what users named escaped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

    from imagine_lib.pictures import Picture


@dataclass(frozen=True)
class Words:
    """A paragraph."""

    kind: ClassVar = "words"
    text: str
    warning: bool = False


@dataclass(frozen=True)
class Listing:
    """Sentences one below the other."""

    kind: ClassVar = "listing"
    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows."""

    kind: ClassVar = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    folded: bool = False
    """Shown when the reader opens it."""
    meanings: Sequence[str] = ()
    """What each row's name means, in small print below it."""
    worded: Sequence[str] = ()
    """The columns that hold words: like the first, they begin at the left."""


@dataclass(frozen=True)
class Shown:
    """A figure."""

    kind: ClassVar = "shown"
    picture: Picture
    caption: str


@dataclass(frozen=True)
class Thumbnail:
    """A small image with what is to be said of it."""

    source: str
    """A ``data:`` address; empty where the image cannot be shown."""
    name: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Gallery:
    """Small images side by side."""

    kind: ClassVar = "gallery"
    images: Sequence[Thumbnail]


Block = Words | Listing | Table | Shown | Gallery


@dataclass(frozen=True)
class Section:
    """A part of a report under its heading."""

    title: str
    blocks: Sequence[Block]


def render(title: str, sections: Sequence[Section], notes: Sequence[str] = (), level: int = 2) -> str:
    """Return HTML to stand inside a page.

    Parameters
    ----------
    title
        The heading.
    sections
        In the order in which they are read.
    notes
        Warnings that stand above everything.
    level
        Of the heading: 1 in a page of its own.

    Returns
    -------
    str
        With its own style, which touches nothing else.
    """
    return _template().render(title=title, sections=sections, notes=notes, level=level)


def render_page(title: str, sections: Sequence[Section], notes: Sequence[str] = ()) -> str:
    """Return a whole page that needs no other file; arguments as for :func:`render`."""
    return _template("page.html.jinja").render(title=title, content=render(title, sections, notes, level=1))


@cache
def _template(name: str = "report.html.jinja") -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(name)
