"""All tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from milepost_server.store.types import BigId, Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dealers",
        sa.Column("id", BigId, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dealers")),
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("registered_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("projection_stale", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["dealer_id"], ["dealers.id"], name=op.f("fk_devices_dealer_id_dealers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("dealer_id", "id", name=op.f("uq_devices_dealer_id_id")),
    )
    op.create_table(
        "owners",
        sa.Column("id", BigId, nullable=False),
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("phone", sa.String(length=32), nullable=True),
        sa.Column("external_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["dealer_id"], ["dealers.id"], name=op.f("fk_owners_dealer_id_dealers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_owners")),
        sa.UniqueConstraint("dealer_id", "external_id", name=op.f("uq_owners_dealer_id_external_id")),
        sa.UniqueConstraint("dealer_id", "id", name=op.f("uq_owners_dealer_id_id")),
    )
    with op.batch_alter_table("owners", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_owners_dealer_id_name"), ["dealer_id", "name"], unique=False)

    op.create_table(
        "quarantine",
        sa.Column("id", BigId, nullable=False),
        sa.Column("dealer_id", BigId, nullable=True),
        sa.Column("device_id", sa.String(length=256), nullable=True),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("state IN ('held', 'replayed', 'discarded')", name=op.f("ck_quarantine_state")),
        sa.ForeignKeyConstraint(["dealer_id"], ["dealers.id"], name=op.f("fk_quarantine_dealer_id_dealers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint("digest", name=op.f("uq_quarantine_digest")),
    )
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_quarantine_dealer_id_state_received_at"),
            ["dealer_id", "state", "received_at"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_quarantine_device_id_state"), ["device_id", "state"], unique=False
        )

    op.create_table(
        "staff",
        sa.Column("id", BigId, nullable=False),
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "role IN ('service', 'sales', 'marketing', 'manager')", name=op.f("ck_staff_role")
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["dealers.id"], name=op.f("fk_staff_dealer_id_dealers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("dealer_id", "id", name=op.f("uq_staff_dealer_id_id")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
    )
    op.create_table(
        "vehicles",
        sa.Column("id", BigId, nullable=False),
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("vin", sa.String(length=17), nullable=False),
        sa.Column("plate", sa.String(length=16), nullable=True),
        sa.Column("make", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("model_year", sa.Integer(), nullable=False),
        sa.Column("powertrain", sa.String(length=16), nullable=False),
        sa.Column("first_registered_on", sa.Date(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "powertrain IN ('combustion', 'hybrid', 'ev')", name=op.f("ck_vehicles_powertrain")
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["dealers.id"], name=op.f("fk_vehicles_dealer_id_dealers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vehicles")),
        sa.UniqueConstraint("dealer_id", "id", name=op.f("uq_vehicles_dealer_id_id")),
        sa.UniqueConstraint("dealer_id", "vin", name=op.f("uq_vehicles_dealer_id_vin")),
    )
    op.create_table(
        "dirty_vehicles",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("vehicle_id", BigId, autoincrement=False, nullable=False),
        sa.Column("marks", sa.BigInteger(), nullable=False),
        sa.Column("marked_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_dirty_vehicles_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("vehicle_id", name=op.f("pk_dirty_vehicles")),
    )
    op.create_table(
        "installations",
        sa.Column("id", BigId, nullable=False),
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("vehicle_id", BigId, nullable=False),
        sa.Column("start_at", UtcDateTime(), nullable=False),
        sa.Column("end_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("end_at IS NULL OR end_at >= start_at", name=op.f("ck_installations_order")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "device_id"],
            ["devices.dealer_id", "devices.id"],
            name=op.f("fk_installations_dealer_id_devices"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_installations_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installations")),
    )
    with op.batch_alter_table("installations", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_installations_dealer_id_device_id"), ["dealer_id", "device_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_installations_dealer_id_vehicle_id"), ["dealer_id", "vehicle_id"], unique=False
        )

    op.create_table(
        "ownerships",
        sa.Column("id", BigId, nullable=False),
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("owner_id", BigId, nullable=False),
        sa.Column("vehicle_id", BigId, nullable=False),
        sa.Column("start_on", sa.Date(), nullable=False),
        sa.Column("end_on", sa.Date(), nullable=True),
        sa.CheckConstraint("end_on IS NULL OR end_on >= start_on", name=op.f("ck_ownerships_order")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "owner_id"],
            ["owners.dealer_id", "owners.id"],
            name=op.f("fk_ownerships_dealer_id_owners"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_ownerships_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ownerships")),
    )
    with op.batch_alter_table("ownerships", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_ownerships_dealer_id_owner_id"), ["dealer_id", "owner_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_ownerships_dealer_id_vehicle_id"), ["dealer_id", "vehicle_id"], unique=False
        )

    op.create_table(
        "refusals",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("signal", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("first_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "device_id"],
            ["devices.dealer_id", "devices.id"],
            name=op.f("fk_refusals_dealer_id_devices"),
        ),
        sa.PrimaryKeyConstraint("device_id", "signal", "reason", name=op.f("pk_refusals")),
    )
    op.create_table(
        "service_due",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("vehicle_id", BigId, nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("p10_on", sa.Date(), nullable=True),
        sa.Column("p50_on", sa.Date(), nullable=True),
        sa.Column("p90_on", sa.Date(), nullable=True),
        sa.Column("p10_odometer_m", sa.Double(), nullable=True),
        sa.Column("p50_odometer_m", sa.Double(), nullable=True),
        sa.Column("p90_odometer_m", sa.Double(), nullable=True),
        sa.Column("p_30d", sa.Double(), nullable=True),
        sa.Column("p_90d", sa.Double(), nullable=True),
        sa.Column("basis", sa.String(length=32), nullable=False),
        sa.Column("limit_text", sa.Text(), nullable=False),
        sa.Column("evidence", Json, nullable=False),
        sa.Column("config_version", sa.String(length=64), nullable=False),
        sa.Column("derived_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('unknown', 'ok', 'upcoming', 'due', 'overdue')", name=op.f("ck_service_due_state")
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_service_due_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("vehicle_id", "item", "as_of", name=op.f("pk_service_due")),
    )
    with op.batch_alter_table("service_due", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_service_due_dealer_id_as_of_p50_on"),
            ["dealer_id", "as_of", "p50_on"],
            unique=False,
        )

    op.create_table(
        "service_records",
        sa.Column("id", BigId, nullable=False),
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("vehicle_id", BigId, nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("done_on", sa.Date(), nullable=False),
        sa.Column("odometer_m", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_service_records_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_records")),
    )
    with op.batch_alter_table("service_records", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_service_records_dealer_id_vehicle_id_item_done_on"),
            ["dealer_id", "vehicle_id", "item", "done_on"],
            unique=False,
        )

    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("staff_id", BigId, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["dealer_id", "staff_id"],
            ["staff.dealer_id", "staff.id"],
            name=op.f("fk_sessions_dealer_id_staff"),
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sessions_dealer_id_staff_id"), ["dealer_id", "staff_id"], unique=False
        )

    op.create_table(
        "streams",
        sa.Column("id", BigId, nullable=False),
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("watermark", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "device_id"],
            ["devices.dealer_id", "devices.id"],
            name=op.f("fk_streams_dealer_id_devices"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_streams")),
        sa.UniqueConstraint("dealer_id", "id", name=op.f("uq_streams_dealer_id_id")),
        sa.UniqueConstraint("device_id", "epoch", name=op.f("uq_streams_device_id_epoch")),
    )
    op.create_table(
        "vin_conflicts",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("vehicle_id", BigId, nullable=False),
        sa.Column("vin_reported", sa.String(length=256), nullable=False),
        sa.Column("first_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "device_id"],
            ["devices.dealer_id", "devices.id"],
            name=op.f("fk_vin_conflicts_dealer_id_devices"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_vin_conflicts_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("device_id", "vehicle_id", "vin_reported", name=op.f("pk_vin_conflicts")),
    )
    op.create_table(
        "batches",
        sa.Column("id", BigId, nullable=False),
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("stream_id", BigId, nullable=False),
        sa.Column("vehicle_id", BigId, nullable=True),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "stream_id"],
            ["streams.dealer_id", "streams.id"],
            name=op.f("fk_batches_dealer_id_streams"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_batches_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_batches_stream_id_id"), ["stream_id", "id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_batches_stream_id_last_seq"), ["stream_id", "last_seq"], unique=False
        )

    op.create_table(
        "gaps",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("stream_id", BigId, nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("vehicle_id", BigId, nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("counts", Json, nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("last_seq >= first_seq", name=op.f("ck_gaps_order")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "stream_id"],
            ["streams.dealer_id", "streams.id"],
            name=op.f("fk_gaps_dealer_id_streams"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_gaps_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("stream_id", "first_seq", name=op.f("pk_gaps")),
    )
    with op.batch_alter_table("gaps", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_gaps_dealer_id_vehicle_id"), ["dealer_id", "vehicle_id"], unique=False
        )

    op.create_table(
        "odometer_judgements",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("vehicle_id", BigId, nullable=False),
        sa.Column("stream_id", BigId, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("odometer_m", sa.BigInteger(), nullable=False),
        sa.Column("clean_m", sa.Double(), nullable=True),
        sa.Column("segment", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["dealer_id", "stream_id"],
            ["streams.dealer_id", "streams.id"],
            name=op.f("fk_odometer_judgements_dealer_id_streams"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_odometer_judgements_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("stream_id", "seq", name=op.f("pk_odometer_judgements")),
    )
    with op.batch_alter_table("odometer_judgements", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_odometer_judgements_dealer_id_vehicle_id_time_ms"),
            ["dealer_id", "vehicle_id", "time_ms"],
            unique=False,
        )

    op.create_table(
        "readings",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("stream_id", BigId, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("vehicle_id", BigId, nullable=False),
        sa.Column("signal", sa.String(length=128), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("trust", sa.String(length=16), nullable=False),
        sa.Column("time_plausible", sa.Boolean(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("value_num", sa.Double(), nullable=True),
        sa.Column("value_text", sa.Text(), nullable=True),
        sa.CheckConstraint("(value_num IS NULL) <> (value_text IS NULL)", name=op.f("ck_readings_one_value")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "stream_id"],
            ["streams.dealer_id", "streams.id"],
            name=op.f("fk_readings_dealer_id_streams"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_readings_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("stream_id", "seq", name=op.f("pk_readings")),
    )
    with op.batch_alter_table("readings", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_readings_dealer_id_vehicle_id_signal_time_ms"),
            ["dealer_id", "vehicle_id", "signal", "time_ms"],
            unique=False,
        )

    op.create_table(
        "stream_ranges",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("stream_id", BigId, nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("last_seq >= first_seq", name=op.f("ck_stream_ranges_order")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "stream_id"],
            ["streams.dealer_id", "streams.id"],
            name=op.f("fk_stream_ranges_dealer_id_streams"),
        ),
        sa.PrimaryKeyConstraint("stream_id", "first_seq", name=op.f("pk_stream_ranges")),
    )


def downgrade() -> None:
    op.drop_table("stream_ranges")
    with op.batch_alter_table("readings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_readings_dealer_id_vehicle_id_signal_time_ms"))

    op.drop_table("readings")
    with op.batch_alter_table("odometer_judgements", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_odometer_judgements_dealer_id_vehicle_id_time_ms"))

    op.drop_table("odometer_judgements")
    with op.batch_alter_table("gaps", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_gaps_dealer_id_vehicle_id"))

    op.drop_table("gaps")
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_batches_stream_id_last_seq"))
        batch_op.drop_index(batch_op.f("ix_batches_stream_id_id"))

    op.drop_table("batches")
    op.drop_table("vin_conflicts")
    op.drop_table("streams")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sessions_dealer_id_staff_id"))

    op.drop_table("sessions")
    with op.batch_alter_table("service_records", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_service_records_dealer_id_vehicle_id_item_done_on"))

    op.drop_table("service_records")
    with op.batch_alter_table("service_due", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_service_due_dealer_id_as_of_p50_on"))

    op.drop_table("service_due")
    op.drop_table("refusals")
    with op.batch_alter_table("ownerships", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ownerships_dealer_id_vehicle_id"))
        batch_op.drop_index(batch_op.f("ix_ownerships_dealer_id_owner_id"))

    op.drop_table("ownerships")
    with op.batch_alter_table("installations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_installations_dealer_id_vehicle_id"))
        batch_op.drop_index(batch_op.f("ix_installations_dealer_id_device_id"))

    op.drop_table("installations")
    op.drop_table("dirty_vehicles")
    op.drop_table("vehicles")
    op.drop_table("staff")
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_quarantine_dealer_id_state_received_at"))

    op.drop_table("quarantine")
    with op.batch_alter_table("owners", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_owners_dealer_id_name"))

    op.drop_table("owners")
    op.drop_table("devices")
    op.drop_table("dealers")
