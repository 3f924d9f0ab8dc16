"""A list of catalogue entries that is a table in a notebook."""

from __future__ import annotations

import html

from imagine_lib.wire import CatalogueEntry, ModelStatus


class Listing(list[CatalogueEntry]):
    """Catalogue entries, best first."""

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td><code>{html.escape(entry.name)}</code></td><td>{html.escape(entry.title)}</td>"
            f"<td>{html.escape(entry.summary)}</td><td>{_status(entry)}</td></tr>"
            for entry in self
        )
        head = "<tr><th>name</th><th>title</th><th>summary</th><th>status</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _status(entry: CatalogueEntry) -> str:
    if entry.status is None:
        return ""
    return "⚠ demonstration" if entry.status == ModelStatus.DEMONSTRATION else "released"
