"""Run by Alembic, on the connection that ``migrations.migrate`` gives it."""

from __future__ import annotations

from alembic import context

from hub_config.platform.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,  # SQLite can too: a broken migration leaves nothing behind
)
with context.begin_transaction():
    context.run_migrations()
