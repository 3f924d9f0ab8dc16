"""What the controller last saw of each service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from hub_config.platform.store.tables import ServiceRow

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def rows(session: Session) -> dict[str, ServiceRow]:
    """Return the row of each service, by name."""
    return {row.name: row for row in session.scalars(select(ServiceRow))}


def put(session: Session, row: ServiceRow) -> None:
    """Write a service's row over the older one."""
    session.merge(row)
