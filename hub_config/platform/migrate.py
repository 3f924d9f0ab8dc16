"""``python -m hub_config.platform.migrate``: bring the database to today's state."""

from __future__ import annotations

from hub_config.platform.process import begin
from hub_config.platform.store.database import Database
from hub_config.platform.store.migrations import migrate

if __name__ == "__main__":
    migrate(Database(begin().platform.database_url))
