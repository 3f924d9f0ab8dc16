"""What the controller last saw of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_config.platform.store.tables import CapacityRow

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session


def current(session: Session) -> CapacityRow | None:
    """Return the one row; None before the first look."""
    return session.get(CapacityRow, 1)


def put(session: Session, capacity: str, now: datetime, every: float) -> None:
    """Write what was seen over what was seen before."""
    session.merge(CapacityRow(id=1, capacity=capacity, checked=now, every=every))
