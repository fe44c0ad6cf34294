"""Contracts, outcomes, decisions of staff, faults and health, readiness, and the life cycle of items."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from milepost_server.store.types import BigId, Json, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = (
    "owner_signals",
    "readiness_checks",
    "readiness_foretold",
    "readiness",
    "readiness_models",
    "vehicle_health",
    "vehicle_faults",
    "derived_days",
    "due_calibrations",
    "wear_priors",
    "reading_overrules",
    "item_actions",
    "dealer_files",
    "outcomes",
    "contracts",
)
# Rows of earlier days are not derived again: what needed attention then is open, and nobody was reminded.
# Their items are called by their keys in words.
FILL_DUE = """
UPDATE service_due SET reminders = 0, limits = '[]', wear = '[]',
    title = substr(upper(substr(item, 1, 1)) || replace(substr(item, 2), '-', ' '), 1, 60),
    listed_since_on = CASE WHEN state IN ('upcoming', 'due', 'overdue') THEN as_of END,
    due_since_on = CASE WHEN state IN ('due', 'overdue') THEN as_of END,
    is_shown = state IN ('upcoming', 'due', 'overdue'),
    life_cycle_since = CASE WHEN state IN ('upcoming', 'due', 'overdue') THEN as_of END,
    life_cycle = CASE WHEN state IN ('upcoming', 'due', 'overdue') THEN 'open' ELSE 'none' END
"""
DATES = (
    "started_on",
    "listed_since_on",
    "due_since_on",
    "cleared_on",
    "life_cycle_since",
    "life_cycle_until",
    "remind_on",
)


def _add_filled_to_due(*columns: sa.Column[Any]) -> None:
    """Add columns that may not be null to a table that has rows."""
    with op.batch_alter_table("service_due", schema=None) as batch_op:
        for column in columns:
            batch_op.add_column(column)
    op.execute(FILL_DUE)
    with op.batch_alter_table("service_due", schema=None) as batch_op:
        for column in columns:
            batch_op.alter_column(column.name, existing_type=column.type, nullable=False)


def upgrade() -> None:
    _customers_and_decisions()
    _results_of_vehicles()
    _results_of_owners()
    _columns()


def _customers_and_decisions() -> None:
    op.create_table(
        "contracts",
        sa.Column("id", BigId, nullable=False),
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("vehicle_id", BigId, nullable=False),
        sa.Column("owner_id", BigId, nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("start_on", sa.Date(), nullable=False),
        sa.Column("end_on", sa.Date(), nullable=True),
        sa.Column("start_odometer_m", sa.BigInteger(), nullable=True),
        sa.Column("allowance_m", sa.BigInteger(), nullable=True),
        sa.Column("end_odometer_m", sa.BigInteger(), nullable=True),
        sa.Column("excess_fee_per_km", sa.Double(), nullable=True),
        sa.Column("list_price", sa.BigInteger(), nullable=True),
        sa.Column("principal", sa.BigInteger(), nullable=True),
        sa.Column("payment_per_month", sa.BigInteger(), nullable=True),
        sa.Column("annual_interest", sa.Double(), nullable=True),
        sa.Column("balloon", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("sender_id", sa.String(length=64), nullable=True),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('lease', 'finance', 'warranty', 'subscription')", name=op.f("ck_contracts_kind")
        ),
        sa.CheckConstraint(
            "end_on IS NOT NULL OR end_odometer_m IS NOT NULL", name=op.f("ck_contracts_has_an_end")
        ),
        sa.CheckConstraint("end_on IS NULL OR end_on >= start_on", name=op.f("ck_contracts_order")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "owner_id"],
            ["owners.dealer_id", "owners.id"],
            name=op.f("fk_contracts_dealer_id_owners"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_contracts_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contracts")),
        sa.UniqueConstraint(
            "dealer_id", "source", "sender_id", name=op.f("uq_contracts_dealer_id_source_sender_id")
        ),
    )
    with op.batch_alter_table("contracts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_contracts_dealer_id_owner_id"), ["dealer_id", "owner_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_contracts_dealer_id_vehicle_id"), ["dealer_id", "vehicle_id"], unique=False
        )
    op.create_table(
        "outcomes",
        sa.Column("id", BigId, nullable=False),
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("owner_id", BigId, nullable=False),
        sa.Column("vehicle_id", BigId, nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("sender_id", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('replaced', 'sale', 'lease', 'subscription', 'service')", name=op.f("ck_outcomes_kind")
        ),
        sa.CheckConstraint(
            "(amount IS NULL) = (currency IS NULL)", name=op.f("ck_outcomes_amount_has_currency")
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "owner_id"],
            ["owners.dealer_id", "owners.id"],
            name=op.f("fk_outcomes_dealer_id_owners"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_outcomes_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcomes")),
        sa.UniqueConstraint(
            "dealer_id", "source", "sender_id", name=op.f("uq_outcomes_dealer_id_source_sender_id")
        ),
    )
    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_outcomes_dealer_id_happened_on"), ["dealer_id", "happened_on"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_outcomes_dealer_id_owner_id_happened_on"),
            ["dealer_id", "owner_id", "happened_on"],
            unique=False,
        )
    op.create_table(
        "dealer_files",
        sa.Column("id", BigId, nullable=False),
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("staff_id", BigId, nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("kind IN ('schedule', 'plans')", name=op.f("ck_dealer_files_kind")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "staff_id"],
            ["staff.dealer_id", "staff.id"],
            name=op.f("fk_dealer_files_dealer_id_staff"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dealer_files")),
    )
    with op.batch_alter_table("dealer_files", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_dealer_files_dealer_id_kind_name_id"),
            ["dealer_id", "kind", "name", "id"],
            unique=False,
        )
    op.create_table(
        "item_actions",
        sa.Column("id", BigId, nullable=False),
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("vehicle_id", BigId, nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("staff_id", BigId, nullable=False),
        sa.Column("for_on", sa.Date(), nullable=True),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "action IN ('acknowledged', 'booked', 'done', 'snoozed', 'reopened')",
            name=op.f("ck_item_actions_action"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "staff_id"],
            ["staff.dealer_id", "staff.id"],
            name=op.f("fk_item_actions_dealer_id_staff"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_item_actions_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_item_actions")),
    )
    with op.batch_alter_table("item_actions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_item_actions_dealer_id_vehicle_id_item_at"),
            ["dealer_id", "vehicle_id", "item", "at"],
            unique=False,
        )
    op.create_table(
        "reading_overrules",
        sa.Column("id", BigId, nullable=False),
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("stream_id", BigId, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("vehicle_id", BigId, nullable=False),
        sa.Column("keep", sa.Boolean(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("staff_id", BigId, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "staff_id"],
            ["staff.dealer_id", "staff.id"],
            name=op.f("fk_reading_overrules_dealer_id_staff"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "stream_id"],
            ["streams.dealer_id", "streams.id"],
            name=op.f("fk_reading_overrules_dealer_id_streams"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_reading_overrules_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading_overrules")),
    )
    with op.batch_alter_table("reading_overrules", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_reading_overrules_dealer_id_vehicle_id"), ["dealer_id", "vehicle_id"], unique=False
        )


def _results_of_vehicles() -> None:
    op.create_table(
        "wear_priors",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("signal", sa.String(length=128), nullable=False),
        sa.Column("make", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("ratio", sa.Double(), nullable=False),
        sa.Column("variance", sa.Double(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("config_version", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["dealer_id"], ["dealers.id"], name=op.f("fk_wear_priors_dealer_id_dealers")),
        sa.PrimaryKeyConstraint(
            "dealer_id", "as_of", "item", "signal", "make", "model", name=op.f("pk_wear_priors")
        ),
    )
    op.create_table(
        "due_calibrations",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("coverage", Json, nullable=False),
        sa.Column("config_version", sa.String(length=64), nullable=False),
        sa.Column("derived_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id"], ["dealers.id"], name=op.f("fk_due_calibrations_dealer_id_dealers")
        ),
        sa.PrimaryKeyConstraint("dealer_id", "as_of", name=op.f("pk_due_calibrations")),
    )
    op.create_table(
        "derived_days",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("learned_at", UtcDateTime(), nullable=True),
        sa.Column("derived_at", UtcDateTime(), nullable=False),
        sa.Column("config_version", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id"], ["dealers.id"], name=op.f("fk_derived_days_dealer_id_dealers")
        ),
        sa.PrimaryKeyConstraint("dealer_id", "as_of", name=op.f("pk_derived_days")),
    )
    op.create_table(
        "vehicle_faults",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("vehicle_id", BigId, nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("system", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("urgency", sa.String(length=2), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("first_seen_at", UtcDateTime(), nullable=True),
        sa.Column("last_seen_at", UtcDateTime(), nullable=True),
        sa.Column("recurrences", sa.Integer(), nullable=False),
        sa.Column("cleared_before_visit", sa.Boolean(), nullable=False),
        sa.Column("evidence", Json, nullable=False),
        sa.Column("config_version", sa.String(length=64), nullable=False),
        sa.Column("derived_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("urgency IN ('P0', 'P1', 'P2', 'P3')", name=op.f("ck_vehicle_faults_urgency")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_vehicle_faults_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("vehicle_id", "as_of", "code", name=op.f("pk_vehicle_faults")),
    )
    with op.batch_alter_table("vehicle_faults", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_vehicle_faults_dealer_id_as_of_urgency"),
            ["dealer_id", "as_of", "urgency"],
            unique=False,
        )
    op.create_table(
        "vehicle_health",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("vehicle_id", BigId, nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("battery_state", sa.String(length=16), nullable=False),
        sa.Column("battery_measure", sa.String(length=32), nullable=True),
        sa.Column("battery_level", sa.Double(), nullable=True),
        sa.Column("battery_per_year", sa.Double(), nullable=True),
        sa.Column("battery_limit", sa.Double(), nullable=True),
        sa.Column("battery_p10_on", sa.Date(), nullable=True),
        sa.Column("battery_p50_on", sa.Date(), nullable=True),
        sa.Column("battery_p90_on", sa.Date(), nullable=True),
        sa.Column("pack_outcome", sa.String(length=16), nullable=True),
        sa.Column("pack_percent", sa.Double(), nullable=True),
        sa.Column("pack_per_year", sa.Double(), nullable=True),
        sa.Column("pack_limit_percent", sa.Double(), nullable=True),
        sa.Column("pack_warranty_ends_on", sa.Date(), nullable=True),
        sa.Column("pack_claim_odds", sa.Double(), nullable=True),
        sa.Column("pack_p10_on", sa.Date(), nullable=True),
        sa.Column("pack_p50_on", sa.Date(), nullable=True),
        sa.Column("pack_p90_on", sa.Date(), nullable=True),
        sa.Column("pack_p10_odometer_m", sa.Double(), nullable=True),
        sa.Column("pack_p50_odometer_m", sa.Double(), nullable=True),
        sa.Column("pack_p90_odometer_m", sa.Double(), nullable=True),
        sa.Column("evidence", Json, nullable=False),
        sa.Column("config_version", sa.String(length=64), nullable=False),
        sa.Column("derived_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "battery_state IN ('unknown', 'good', 'weak', 'replace')",
            name=op.f("ck_vehicle_health_battery_state"),
        ),
        sa.CheckConstraint(
            "battery_measure IN ('cranking_minimum', 'rest_voltage', 'state_of_health')",
            name=op.f("ck_vehicle_health_battery_measure"),
        ),
        sa.CheckConstraint(
            "pack_outcome IN ('unknown', 'holds', 'possible', 'likely', 'claim', 'ended')",
            name=op.f("ck_vehicle_health_pack_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_vehicle_health_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("vehicle_id", "as_of", name=op.f("pk_vehicle_health")),
    )
    with op.batch_alter_table("vehicle_health", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_vehicle_health_dealer_id_as_of"), ["dealer_id", "as_of"], unique=False
        )


def _results_of_owners() -> None:
    op.create_table(
        "readiness_models",
        sa.Column("id", BigId, nullable=False),
        sa.Column("dealer_id", BigId, nullable=True),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("fitted", sa.String(length=16), nullable=False),
        sa.Column("fitted_on", sa.Date(), nullable=False),
        sa.Column("in_force_on", sa.Date(), nullable=False),
        sa.Column("metrics", Json, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("fitted IN ('prior', 'learned')", name=op.f("ck_readiness_models_fitted")),
        sa.ForeignKeyConstraint(
            ["dealer_id"], ["dealers.id"], name=op.f("fk_readiness_models_dealer_id_dealers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_readiness_models")),
        sa.UniqueConstraint("dealer_id", "version", name=op.f("uq_readiness_models_dealer_id_version")),
    )
    with op.batch_alter_table("readiness_models", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_readiness_models_dealer_id_in_force_on"),
            ["dealer_id", "in_force_on"],
            unique=False,
        )
    op.create_table(
        "readiness",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("owner_id", BigId, nullable=False),
        sa.Column("vehicle_id", BigId, nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("p_90d", sa.Double(), nullable=False),
        sa.Column("p_180d", sa.Double(), nullable=False),
        sa.Column("reasons", Json, nullable=False),
        sa.Column("subscription", Json, nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("is_prior", sa.Boolean(), nullable=False),
        sa.Column("config_version", sa.String(length=64), nullable=False),
        sa.Column("derived_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "owner_id"],
            ["owners.dealer_id", "owners.id"],
            name=op.f("fk_readiness_dealer_id_owners"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_readiness_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("owner_id", "vehicle_id", "as_of", name=op.f("pk_readiness")),
    )
    with op.batch_alter_table("readiness", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_readiness_dealer_id_as_of_score"), ["dealer_id", "as_of", "score"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_readiness_vehicle_id_as_of"), ["vehicle_id", "as_of"], unique=False
        )
    _checks_of_models()
    op.create_table(
        "owner_signals",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("owner_id", BigId, nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("vehicles", sa.Integer(), nullable=False),
        sa.Column("service_vehicle_id", BigId, nullable=True),
        sa.Column("service_item", sa.String(length=64), nullable=True),
        sa.Column("service_title", sa.String(length=60), nullable=True),
        sa.Column("service_fault", sa.String(length=16), nullable=True),
        sa.Column("service_state", sa.String(length=16), nullable=False),
        sa.Column("service_urgency", sa.String(length=2), nullable=True),
        sa.Column("service_key", sa.Double(), nullable=False),
        sa.Column("sales_vehicle_id", BigId, nullable=True),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("p_90d", sa.Double(), nullable=True),
        sa.Column("p_180d", sa.Double(), nullable=True),
        sa.Column("sales_key", sa.Double(), nullable=False),
        sa.Column("value", Json, nullable=False),
        sa.Column("config_version", sa.String(length=64), nullable=False),
        sa.Column("derived_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "service_state IN ('unknown', 'ok', 'upcoming', 'due', 'overdue')",
            name=op.f("ck_owner_signals_service_state"),
        ),
        sa.CheckConstraint(
            "service_urgency IN ('P0', 'P1', 'P2', 'P3')", name=op.f("ck_owner_signals_service_urgency")
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "owner_id"],
            ["owners.dealer_id", "owners.id"],
            name=op.f("fk_owner_signals_dealer_id_owners"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "sales_vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name="fk_owner_signals_sales_vehicle_id_vehicles",
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "service_vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_owner_signals_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("owner_id", "as_of", name=op.f("pk_owner_signals")),
    )
    with op.batch_alter_table("owner_signals", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_owner_signals_dealer_id_as_of_sales_key"),
            ["dealer_id", "as_of", "sales_key"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_owner_signals_dealer_id_as_of_service_key"),
            ["dealer_id", "as_of", "service_key"],
            unique=False,
        )


def _checks_of_models() -> None:
    op.create_table(
        "readiness_foretold",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("vehicle_id", BigId, nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("owner_id", BigId, nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("p_90d", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "owner_id"],
            ["owners.dealer_id", "owners.id"],
            name=op.f("fk_readiness_foretold_dealer_id_owners"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "vehicle_id"],
            ["vehicles.dealer_id", "vehicles.id"],
            name=op.f("fk_readiness_foretold_dealer_id_vehicles"),
        ),
        sa.PrimaryKeyConstraint("vehicle_id", "as_of", name=op.f("pk_readiness_foretold")),
    )
    with op.batch_alter_table("readiness_foretold", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_readiness_foretold_dealer_id_as_of_vehicle_id"),
            ["dealer_id", "as_of", "vehicle_id"],
            unique=False,
        )
    op.create_table(
        "readiness_checks",
        sa.Column("dealer_id", BigId, nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("vehicles", sa.Integer(), nullable=False),
        sa.Column("foretold_on", sa.Date(), nullable=True),
        sa.Column("drift", Json, nullable=False),
        sa.Column("came", Json, nullable=False),
        sa.Column("config_version", sa.String(length=64), nullable=False),
        sa.Column("derived_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id"], ["dealers.id"], name=op.f("fk_readiness_checks_dealer_id_dealers")
        ),
        sa.PrimaryKeyConstraint("dealer_id", "as_of", "model_version", name=op.f("pk_readiness_checks")),
    )


def _columns() -> None:
    # With a default, and not in a batch: that would make the table anew, which others refer to.
    op.add_column("dealers", sa.Column("currency", sa.String(length=3), nullable=False, server_default="EUR"))
    op.add_column("ownerships", sa.Column("confirmed_on", sa.Date(), nullable=True))
    op.add_column("ownerships", sa.Column("created_at", UtcDateTime(), nullable=True))
    op.add_column("ownerships", sa.Column("end_entered_at", UtcDateTime(), nullable=True))
    with op.batch_alter_table("service_due", schema=None) as batch_op:
        batch_op.add_column(sa.Column("position", sa.String(length=128), nullable=True))
        for name in DATES:
            batch_op.add_column(sa.Column(name, sa.Date(), nullable=True))
    _add_filled_to_due(
        sa.Column("title", sa.String(length=60)),
        sa.Column("life_cycle", sa.String(length=16)),
        sa.Column("is_shown", sa.Boolean()),
        sa.Column("reminders", sa.Integer()),
        sa.Column("limits", Json),
        sa.Column("wear", Json),
    )
    with op.batch_alter_table("service_due", schema=None) as batch_op:
        batch_op.create_check_constraint(
            op.f("ck_service_due_life_cycle"),
            "life_cycle IN ('none', 'open', 'reminded', 'acknowledged', 'booked', 'snoozed', 'done', "
            "'cleared')",
        )
    with op.batch_alter_table("vehicle_usage", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pace", Json, nullable=True))
        batch_op.add_column(sa.Column("usage_changed_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("usage_changed_from_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("usage_changed_to_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("usage_change", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("usage_before_m_per_d", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("usage_after_m_per_d", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("usage_change_reason", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("usage_is_break", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("usage_asks_for_owner", sa.Boolean(), nullable=True))

    with op.batch_alter_table("vehicles", schema=None) as batch_op:
        batch_op.add_column(sa.Column("engine", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("duty", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("list_price", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    for name in ("list_price", "duty", "engine"):
        op.drop_column("vehicles", name)

    with op.batch_alter_table("vehicle_usage", schema=None) as batch_op:
        batch_op.drop_column("usage_asks_for_owner")
        batch_op.drop_column("usage_is_break")
        batch_op.drop_column("usage_change_reason")
        batch_op.drop_column("usage_after_m_per_d")
        batch_op.drop_column("usage_before_m_per_d")
        batch_op.drop_column("usage_change")
        batch_op.drop_column("usage_changed_to_on")
        batch_op.drop_column("usage_changed_from_on")
        batch_op.drop_column("usage_changed_on")
        batch_op.drop_column("pace")

    with op.batch_alter_table("service_due", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_service_due_life_cycle"), type_="check")
        for name in (*DATES, "title", "position", "life_cycle", "is_shown", "reminders", "limits", "wear"):
            batch_op.drop_column(name)
    for name in ("end_entered_at", "created_at", "confirmed_on"):
        op.drop_column("ownerships", name)
    op.drop_column("dealers", "currency")

    for table in TABLES:
        op.drop_table(table)
