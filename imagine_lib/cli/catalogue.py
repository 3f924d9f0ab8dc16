"""The verb ``imagine catalogue``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from imagine_lib.cli.common import add_family, add_verb, print_json

if TYPE_CHECKING:
    import argparse

    from imagine_lib.wire import CatalogueEntry


def add(verbs: Any) -> None:
    """Add the verb."""
    verbs = add_family(verbs, "catalogue", "Look into the catalogue of modules.")
    add_verb(verbs, "list", _search, "List all modules.").set_defaults(text="")
    add_verb(verbs, "search", _search, "Find modules by words.").add_argument("text")
    add_verb(verbs, "show", _show, "Show one module.").add_argument("name")


def _search(arguments: argparse.Namespace) -> int:
    from imagine_lib import catalogue

    found = catalogue.search(arguments.text)
    if arguments.json:
        print_json([entry.model_dump(mode="json") for entry in found])
    else:
        for entry in found:
            print(f"{entry.name:24} {entry.title}: {entry.summary}")
        if not found:
            print(f"imagine: no module of the catalogue fits {arguments.text!r}", file=sys.stderr)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from imagine_lib import catalogue

    entry = catalogue.find(arguments.name)
    if arguments.json:
        print_json(entry.model_dump(mode="json"))
    else:
        print(_describe(entry))
    return 0


def _describe(entry: CatalogueEntry) -> str:
    lines = [f"{entry.title} ({entry.name})", entry.summary, "", entry.description]
    if entry.status is not None:
        lines.append(f"\nstatus: {entry.status.value}; classes: {', '.join(known.name for known in entry.classes)}")
    return "\n".join(lines)
