"""Rows that say who brought which file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from hub_config.platform.store.database import insert_if_absent
from hub_config.platform.store.tables import Upload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session


def record(session: Session, owner: str, sha256: str, size: int) -> None:
    """Remember that a user brought a file."""
    insert_if_absent(session, Upload, owner=owner, sha256=sha256, size=size, created=datetime.now(UTC))


def sizes(session: Session, owner: str, hashes: Iterable[str]) -> dict[str, int]:
    """Return the sizes of those files that the user has brought."""
    rows = session.execute(
        select(Upload.sha256, Upload.size).where(Upload.owner == owner, Upload.sha256.in_(list(hashes)))
    )
    return {row.sha256: row.size for row in rows}
