"""What is free in the cluster, and when services did not answer."""

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
        sa.Column("every", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_capacity"),
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("began", sa.DateTime, nullable=False),
        sa.Column("ended", sa.DateTime),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
    )
    op.create_index("ix_incidents_began", "incidents", ["began"])


def downgrade() -> None:
    op.drop_table("incidents")
    op.drop_table("capacity")
