"""The catalogue as the platform keeps it: the controller reads its source, everyone else the database.

A source that is broken or suddenly empty never takes the last good copy away.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hub_config.platform.errors import NotFound
from hub_config.platform.store import catalogue as copy
from imagine_lib.catalogue import load, search_entries
from imagine_lib.errors import CatalogueError
from imagine_lib.wire import CatalogueEntry, ServiceState

if TYPE_CHECKING:
    from hub_config.platform.logic.paging import Paging
    from hub_config.platform.store.database import Database
    from imagine_lib.wire import Page

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Copy:
    digest: str
    entries: list[CatalogueEntry]


class Catalogue:
    """The last good copy of the catalogue.

    Parameters
    ----------
    database
        Where it is kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read = _Copy("", [])

    def refresh(self, location: str) -> ServiceState:
        """Read the source into the database.

        Parameters
        ----------
        location
            A folder or a URL.

        Returns
        -------
        ServiceState
            What the status page says of it.
        """
        now = datetime.now(UTC)
        try:
            rows = self._rows(location)
        except Exception:
            log.exception("The catalogue's source %s cannot be read", location)
            message = f"Its source cannot be read. {self._fallback()}"  # no more: the status page is public
            return ServiceState(name="catalogue", state="down", message=message, checked=now)
        digest = hashlib.sha256("\n".join(rows.values()).encode()).hexdigest()
        with self._database.write() as session:
            copy.replace(session, rows, digest, now)
        return ServiceState(
            name="catalogue", state="up", message=f"{len(rows)} module{'s' * (len(rows) != 1)}", checked=now
        )

    def search(self, text: str, paging: Paging) -> Page[CatalogueEntry]:
        """Return a page of the entries that fit a text, best first; of all, by title, without one."""
        return paging.cut(search_entries(self._entries(), text))

    def get(self, name: str) -> CatalogueEntry:
        """Return one entry.

        Raises
        ------
        NotFound
            The catalogue has no such module.
        """
        for entry in self._entries():
            if entry.name == name:
                return entry
        raise NotFound(f"The catalogue has no module {name}: look at the list for its name.")

    def _rows(self, location: str) -> dict[str, str]:
        rows: dict[str, str] = {}
        for entry in load(location):
            rows.setdefault(entry.name, entry.model_dump_json())
        if not rows:
            raise CatalogueError("The catalogue's source holds no module.")
        return rows

    def _fallback(self) -> str:
        with self._database.read() as session:
            known = copy.current(session)
            return f"The copy of {known.refreshed:%Y-%m-%d %H:%M} UTC is shown." if known else "There is no copy yet."

    def _entries(self) -> list[CatalogueEntry]:
        with self._database.read() as session:
            known = copy.current(session)
            if known and known.digest != self._read.digest:
                entries = [CatalogueEntry.model_validate_json(row) for row in copy.entries(session)]
                self._read = _Copy(known.digest, entries)
        return self._read.entries
