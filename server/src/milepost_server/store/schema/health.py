"""Tables of what is wrong with a vehicle, or soon will be: faults, the 12 V battery, the traction pack.

Both hold what was derived for ``as_of``. The shape of ``evidence`` is that of ``service_due.evidence``.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Double,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from milepost_server.store.schema.columns import dealer_column, metadata, one_of, same_dealer
from milepost_server.store.schema.words import BatteryMeasure, BatteryWord, PackWord, Urgency
from milepost_server.store.types import BigId, Json, UtcDateTime

vehicle_faults = Table(
    "vehicle_faults",
    metadata,
    dealer_column(),
    Column("vehicle_id", BigId, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("code", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("system", String(32), nullable=False),
    Column("status", String(16), nullable=False),  # as the car said it last, see `signals.faults.FaultStatus`
    Column("urgency", String(2), nullable=False),
    Column("reason", Text, nullable=False),  # why it is that urgent
    Column("first_seen_at", UtcDateTime),  # null where no time of it can be trusted
    Column("last_seen_at", UtcDateTime),
    Column("recurrences", Integer, nullable=False),  # how often it came back after it had been cleared
    Column("cleared_before_visit", Boolean, nullable=False),
    Column("evidence", Json, nullable=False),
    Column("config_version", String(64), nullable=False),
    Column("derived_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("vehicle_id", "as_of", "code"),
    one_of("urgency", Urgency),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "as_of", "urgency"),
)

vehicle_health = Table(
    "vehicle_health",
    metadata,
    dealer_column(),
    Column("vehicle_id", BigId, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("battery_state", String(16), nullable=False),
    Column("battery_measure", String(32)),  # the one that says the worst; its unit is that of the next three
    Column("battery_level", Double),  # today, without the season
    Column("battery_per_year", Double),  # what it changes by
    Column("battery_limit", Double),  # where it has to be replaced
    Column("battery_p10_on", Date),  # when it comes down to the limit; null beyond the horizon
    Column("battery_p50_on", Date),
    Column("battery_p90_on", Date),
    Column("pack_outcome", String(16)),  # null: a car without one
    Column("pack_percent", Double),  # state of health today
    Column("pack_per_year", Double),
    Column("pack_limit_percent", Double),  # what the warranty promises
    Column("pack_warranty_ends_on", Date),  # most likely, by date or distance
    Column("pack_claim_odds", Double),  # probability to come below the limit before the warranty ends
    Column("pack_p10_on", Date),  # when it comes down to the limit; null beyond the horizon
    Column("pack_p50_on", Date),
    Column("pack_p90_on", Date),
    Column("pack_p10_odometer_m", Double),
    Column("pack_p50_odometer_m", Double),
    Column("pack_p90_odometer_m", Double),
    Column("evidence", Json, nullable=False),
    Column("config_version", String(64), nullable=False),
    Column("derived_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("vehicle_id", "as_of"),
    one_of("battery_state", BatteryWord),
    one_of("battery_measure", BatteryMeasure),
    one_of("pack_outcome", PackWord),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "as_of"),
)
