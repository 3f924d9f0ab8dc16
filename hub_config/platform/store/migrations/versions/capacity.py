"""What is free in the cluster."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "capacity",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("capacity", sa.Text, nullable=False),
        sa.Column("checked", sa.DateTime, nullable=False),
        sa.Column("every", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_capacity"),
    )
