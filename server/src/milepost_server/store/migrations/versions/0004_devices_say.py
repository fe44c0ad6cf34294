"""What devices say of themselves, and what is desired of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from milepost_server.store.types import BigId, Json, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "device_states",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("run", sa.String(length=16), nullable=False),
        sa.Column("connection", sa.Integer(), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("birth", Json, nullable=True),
        sa.Column("birth_at", UtcDateTime(), nullable=True),
        sa.Column("reported", Json, nullable=True),
        sa.Column("reported_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["dealer_id", "device_id"],
            ["devices.dealer_id", "devices.id"],
            name=op.f("fk_device_states_dealer_id_devices"),
        ),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_device_states")),
    )
    op.create_table(
        "device_configs",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "device_id"],
            ["devices.dealer_id", "devices.id"],
            name=op.f("fk_device_configs_dealer_id_devices"),
        ),
        sa.PrimaryKeyConstraint("device_id", "revision", name=op.f("pk_device_configs")),
    )


def downgrade() -> None:
    op.drop_table("device_configs")
    op.drop_table("device_states")
