"""The history of the tables, and the way to today's state from any older one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config

from hub_config.platform.store.locks import named_lock, waiting_for

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hub_config.platform.store.database import Database


def migrate(database: Database) -> None:
    """Bring the tables to today's state; processes that start together do it one after the other."""
    with waiting_for(named_lock(database, "migration")), database.engine.connect() as connection:
        command.upgrade(alembic_config(connection.execution_options(writing=True)), "head")


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration for a connection: there is no ini file to find."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
