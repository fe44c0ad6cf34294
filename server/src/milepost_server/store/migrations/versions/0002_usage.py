"""Usage of vehicles and its priors, and the measured wear of items."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from milepost_server.store.types import BigId, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "usage_priors",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("make", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("rate_m_per_d", sa.Double(), nullable=False),
        sa.Column("between_cv", sa.Double(), nullable=False),
        sa.Column("month_cv", sa.Double(), nullable=False),
        sa.Column("vehicles", sa.Integer(), nullable=False),
        sa.Column("config_version", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id"], ["dealers.id"], name=op.f("fk_usage_priors_dealer_id_dealers")
        ),
        sa.PrimaryKeyConstraint("dealer_id", "as_of", "make", "model", name=op.f("pk_usage_priors")),
    )
    op.create_table(
        "vehicle_usage",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("vehicle_id", BigId, nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("rate_m_per_d", sa.Double(), nullable=False),
        sa.Column("level_variance", sa.Double(), nullable=False),
        sa.Column("month_variance", sa.Double(), nullable=False),
        sa.Column("weight_months", sa.Double(), nullable=False),
        sa.Column("last_time_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_odometer_m", sa.Double(), nullable=True),
        sa.Column("config_version", sa.String(length=64), nullable=False),
        sa.Column("derived_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_vehicle_usage_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("vehicle_id", "as_of", name=op.f("pk_vehicle_usage")),
    )
    with op.batch_alter_table("vehicle_usage", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_vehicle_usage_dealer_id_as_of"), ["dealer_id", "as_of"], unique=False
        )
    with op.batch_alter_table("service_due", schema=None) as batch_op:
        batch_op.add_column(sa.Column("worn", sa.Double(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("service_due", schema=None) as batch_op:
        batch_op.drop_column("worn")
    with op.batch_alter_table("vehicle_usage", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vehicle_usage_dealer_id_as_of"))

    op.drop_table("vehicle_usage")
    op.drop_table("usage_priors")
