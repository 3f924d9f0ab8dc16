"""Who did what, and who was refused: one JSON line each, for the people who run the workspace."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LOG = logging.getLogger("imagine.audit")


def write_to(file: Path | None) -> None:
    """Keep the audit log in a file, which only this account can read; None: on standard output."""
    if file is not None:
        file.touch(mode=0o600)
    LOG.handlers = [
        logging.StreamHandler(sys.stdout) if file is None else logging.FileHandler(file, encoding="utf-8")
    ]
    LOG.setLevel(logging.INFO)
    LOG.propagate = False


def audit(event: str, **facts: object) -> None:
    """Write a line.

    Parameters
    ----------
    event
        ``signed in``, ``signed out``, ``spawned``, ``stopped``, ``refused``, ``revoked``, ``offboarded``, …
    facts
        Who and what; never a token.
    """
    LOG.info(json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), "event": event, **facts}))
