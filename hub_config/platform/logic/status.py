"""The state of each service: written by the controller, and doubted by the reader when it is old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hub_config.platform.store import incidents, services
from hub_config.platform.store.tables import IncidentRow, ServiceRow
from imagine_lib.wire import Incident, ServiceState, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub_config.platform.store.database import Database

NAMES = ("IAM", "storage", "hub", "platform", "catalogue", "controller")
SHOWN = 20
"""Incidents on the status page."""
STALE_AFTER = 4
"""Intervals without a look after which a state is unknown: with two, one slow look would make it flicker."""


class StatusBoard:
    """What is known of each service.

    Parameters
    ----------
    database
        Where it is kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, states: Iterable[ServiceState], every: float) -> None:
        """Write what was seen.

        Parameters
        ----------
        states
            One for each service that was looked at.
        every
            Seconds until the next look.
        """
        now = datetime.now(UTC)
        with self._database.write() as session:
            before = {name: row.state for name, row in services.rows(session).items()}
            for seen in states:
                facts = {"name": seen.name, "state": seen.state, "message": seen.message}
                services.put(session, ServiceRow(**facts, checked=now, every=every))
                if seen.state == "down":
                    if before.get(seen.name) == "down":  # one bad look is a hiccup
                        incidents.begin(session, seen.name, seen.message, now)
                else:
                    incidents.end(session, seen.name, now)

    def read(self) -> Status:
        """Return what is known now."""
        now = datetime.now(UTC)
        with self._database.read() as session:
            rows = services.rows(session)
            past = [_incident(row) for row in incidents.latest(session, SHOWN)]
        return Status(services=[_state(name, rows.get(name), now) for name in NAMES], incidents=past)


def _incident(row: IncidentRow) -> Incident:
    return Incident(service=row.service, message=row.message, began=row.began, ended=row.ended)


def _state(name: str, row: ServiceRow | None, now: datetime) -> ServiceState:
    if row is None:
        return ServiceState(name=name, state="unknown", message="Nobody has looked yet.")
    seen = ServiceState.model_validate(
        {"name": name, "state": row.state, "message": row.message, "checked": row.checked}
    )
    if now - row.checked <= timedelta(seconds=STALE_AFTER * row.every):
        return seen
    if name == "controller":
        return seen.model_copy(update={"state": "down", "message": "It has stopped looking at the services."})
    return seen.model_copy(update={"state": "unknown", "message": "Nobody has looked since."})
