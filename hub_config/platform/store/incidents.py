"""When services did not answer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from hub_config.platform.store.tables import IncidentRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

KEPT = timedelta(days=30)


def begin(session: Session, service: str, message: str, now: datetime) -> None:
    """Note that a service does not answer, unless that is known; what is too old goes."""
    if session.scalar(select(IncidentRow.id).where(_open(service))) is None:
        session.execute(delete(IncidentRow).where(IncidentRow.ended < now - KEPT))
        session.add(IncidentRow(service=service, message=message, began=now))


def end(session: Session, service: str, now: datetime) -> None:
    """Note that a service answers again."""
    session.execute(update(IncidentRow).where(_open(service)).values(ended=now))


def latest(session: Session, count: int) -> Sequence[IncidentRow]:
    """Return the latest incidents, the newest first."""
    return session.scalars(select(IncidentRow).order_by(IncidentRow.began.desc()).limit(count)).all()


def _open(service: str) -> ColumnElement[bool]:
    return (IncidentRow.service == service) & IncidentRow.ended.is_(None)
