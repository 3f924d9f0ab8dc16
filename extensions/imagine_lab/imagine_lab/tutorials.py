"""The notebooks of ``~/tutorials``, with the title and the summary that the launcher shows."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "tutorials"

MOST_BYTES = 20 * 2**20
"""A tutorial that someone ran may hold pictures; one larger than this is not read for its title."""

LONGEST_SUMMARY = 300

_HEADING = re.compile(r"^#{1,6}\s+(?P<text>.+?)\s*#*\s*$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_EMPHASIS = re.compile(r"(\*\*|__|`|(?<!\w)[*_]|[*_](?!\w))")
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Tutorial:
    """One card of the launcher."""

    path: str
    """Relative to the server's root, with forward slashes: as the Lab names files."""
    title: str
    summary: str


def find(home: Path, root: Path) -> list[Tutorial]:
    """List the tutorials of a home folder, by file name.

    Parameters
    ----------
    home
        The user's home folder.
    root
        The folder that the server shows; tutorials outside it cannot be opened, so none are listed.

    Returns
    -------
    list of Tutorial
        A notebook that cannot be read, or has no heading, is left out; the others are there.
    """
    folder = (home / FOLDER).resolve()
    if not folder.is_relative_to(root.resolve()) or not folder.is_dir():
        return []
    tutorials = []
    for file in sorted(folder.glob("*.ipynb")):
        text = _markdown(file)
        heading = _HEADING.search(text)
        if heading is None:
            continue
        path = file.relative_to(root.resolve()).as_posix()
        tutorials.append(Tutorial(path, _plain(heading["text"]), _first_paragraph(text[heading.end() :])))
    return tutorials


def _markdown(file: Path) -> str:
    """Join the notebook's Markdown cells; the empty string when it is no notebook."""
    try:
        if file.stat().st_size > MOST_BYTES:
            return ""
        notebook: Any = json.loads(file.read_text(encoding="utf-8"))
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
        return "\n\n".join(_source(cell["source"]) for cell in cells)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ""


def _source(source: Any) -> str:
    """Notebook format 4 lets a cell's text be one string or a list of lines."""
    return source if isinstance(source, str) else "".join(str(line) for line in source)


def _first_paragraph(text: str) -> str:
    for paragraph in re.split(r"\n\s*\n", text):
        plain = _plain(" ".join(paragraph.split()))
        if plain and not plain.startswith("#"):
            return plain if len(plain) <= LONGEST_SUMMARY else plain[: LONGEST_SUMMARY - 1].rstrip() + "…"
    return ""


def _plain(markdown: str) -> str:
    """Take the marks off a line of Markdown: a launcher card shows plain text."""
    return _EMPHASIS.sub("", _TAG.sub("", _LINK.sub(r"\1", markdown))).strip()
