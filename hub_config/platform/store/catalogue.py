"""The last good copy of the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from hub_config.platform.store.tables import CatalogueCopy, CatalogueRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session


def current(session: Session) -> CatalogueCopy | None:
    """Return which copy the rows are; None before the first."""
    return session.get(CatalogueCopy, 1)


def entries(session: Session) -> Sequence[str]:
    """Return the entries as JSON, in the catalogue's order."""
    return session.scalars(select(CatalogueRow.entry).order_by(CatalogueRow.position)).all()


def replace(session: Session, rows: dict[str, str], digest: str, now: datetime) -> None:
    """Put a new copy in the place of the old one.

    Parameters
    ----------
    session
        A writing session.
    rows
        Entries as JSON, by name.
    digest
        What tells this copy from another.
    now
        When it was read.
    """
    known = current(session)
    if known is None or known.digest != digest:
        session.execute(delete(CatalogueRow))
        session.execute(
            insert(CatalogueRow),
            [{"position": i, "name": name, "entry": entry} for i, (name, entry) in enumerate(rows.items())],
        )
    session.merge(CatalogueCopy(id=1, digest=digest, refreshed=now))
