"""Find entries by words, with the field a word was found in deciding the rank."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from imagine_lib.errors import CatalogueError

if TYPE_CHECKING:
    from imagine_lib.wire import CatalogueEntry

WEIGHTS = {
    "name": 8.0,
    "title": 6.0,
    "tags": 4.0,
    "tasks": 3.0,
    "classes": 3.0,
    "summary": 2.0,
    "description": 1.0,
}
"""How much a word is worth in each field: a title says what a module is, a description mentions much."""


def search_entries(entries: list[CatalogueEntry], text: str) -> list[CatalogueEntry]:
    """Return the entries that hold every word, best first; all entries, by title, without words.

    Parameters
    ----------
    entries
        Where to look.
    text
        Words, in any case.
    """
    words = text.casefold().split()
    if not words:
        return sorted(entries, key=lambda entry: entry.title.casefold())
    scored = [(_score(entry, words), entry) for entry in entries]
    found = [(score, entry) for score, entry in scored if score > 0]
    return [entry for _, entry in sorted(found, key=lambda pair: (-pair[0], pair[1].title.casefold()))]


def find_entry(entries: list[CatalogueEntry], name: str) -> CatalogueEntry:
    """Return the entry of a short name; see :func:`imagine_lib.catalogue.find`."""
    for entry in entries:
        if entry.name == name:
            return entry
    names = sorted(entry.name for entry in entries)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"it holds {', '.join(names) or 'nothing'}."
    raise CatalogueError(f"The catalogue has no module {name!r}: {hint}")


def _score(entry: CatalogueEntry, words: list[str]) -> float:
    fields = {
        "name": entry.name,
        "title": entry.title,
        "tags": " ".join(entry.tags),
        "tasks": " ".join(entry.tasks),
        "classes": " ".join(known.name for known in entry.classes),
        "summary": entry.summary,
        "description": entry.description,
    }
    folded = {key: value.casefold() for key, value in fields.items()}
    each = [sum(WEIGHTS[key] for key, value in folded.items() if word in value) for word in words]
    return sum(each) if all(each) else 0.0
