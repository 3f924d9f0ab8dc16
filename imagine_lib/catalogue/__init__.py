"""The catalogue of modules: where it lies, what is in it, and how to find something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagine_lib.catalogue.listing import Listing
from imagine_lib.catalogue.search import find_entry, search_entries
from imagine_lib.catalogue.source import default_location, fetch_package, load

if TYPE_CHECKING:
    from imagine_lib.wire import CatalogueEntry

__all__ = ["default_location", "fetch_package", "find", "load", "search", "search_entries"]


def search(text: str = "") -> Listing:
    """Search the catalogue.

    Parameters
    ----------
    text
        Words; all entries without any.

    Returns
    -------
    Listing
        The entries, best first: a list in code, a table in a notebook.

    Raises
    ------
    CatalogueError
        The catalogue cannot be read.
    """
    return Listing(search_entries(load(default_location()), text))


def find(name: str) -> CatalogueEntry:
    """Return one entry of the catalogue by its short name.

    Raises
    ------
    CatalogueError
        There is no such entry; the message names the nearest.
    """
    return find_entry(load(default_location()), name)
