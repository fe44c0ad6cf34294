"""Tables of service records, and of what is derived from them and from readings."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
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
from milepost_server.store.schema.words import DueState, RestsOn
from milepost_server.store.types import BigId, Json, UtcDateTime

service_records = Table(
    "service_records",
    metadata,
    Column("id", BigId, primary_key=True),
    dealer_column(),
    Column("vehicle_id", BigId, nullable=False),
    Column("item", String(64), nullable=False),
    Column("done_on", Date, nullable=False),
    Column("odometer_m", BigInteger),
    Column("source", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "vehicle_id", "item", "done_on"),
)

odometer_judgements = Table(  # what cleaning made of each odometer reading
    "odometer_judgements",
    metadata,
    dealer_column(),
    Column("vehicle_id", BigId, nullable=False),
    Column("stream_id", BigId, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("odometer_m", BigInteger, nullable=False),  # as reported
    Column("clean_m", Double),  # as used; null when rejected
    Column("segment", Integer, nullable=False),  # counts up at each exchange of the instrument cluster
    Column("kept", Boolean, nullable=False),
    Column("reason", String(32)),  # why it was rejected or corrected
    PrimaryKeyConstraint("stream_id", "seq"),
    same_dealer("stream_id", "streams"),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "vehicle_id", "time_ms"),
)

service_due = Table(
    "service_due",
    metadata,
    dealer_column(),
    Column("vehicle_id", BigId, nullable=False),
    Column("item", String(64), nullable=False),
    Column("as_of", Date, nullable=False),
    Column("state", String(16), nullable=False),
    Column("p10_on", Date),
    Column("p50_on", Date),
    Column("p90_on", Date),
    Column("p10_odometer_m", Double),
    Column("p50_odometer_m", Double),
    Column("p90_odometer_m", Double),
    Column("p_30d", Double),
    Column("p_90d", Double),
    Column("worn", Double),  # measured wear: 0 new, 1 at its limit
    Column("basis", String(32), nullable=False),  # which limit comes first: distance, time, wear, ...
    Column("rests_on", String(16), nullable=False),
    Column("limit_text", Text, nullable=False),  # all limits, and what they are counted from
    Column("limit_short", Text, nullable=False),  # the one that decides, as a list says it
    Column("evidence", Json, nullable=False),  # readings and records that the numbers rest on
    Column("config_version", String(64), nullable=False),
    Column("derived_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("vehicle_id", "item", "as_of"),
    one_of("state", DueState),
    one_of("rests_on", RestsOn),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "as_of", "p50_on"),
)

usage_priors = Table(  # what a dealer's vehicles of one model do in a day, before one of them is looked at
    "usage_priors",
    metadata,
    dealer_column(root=True),
    Column("as_of", Date, nullable=False),
    Column("make", String(64), nullable=False),  # empty make and model: the whole fleet
    Column("model", String(64), nullable=False),
    Column("rate_m_per_d", Double, nullable=False),
    Column("between_cv", Double, nullable=False),
    Column("month_cv", Double, nullable=False),
    Column("vehicles", Integer, nullable=False),
    Column("config_version", String(64), nullable=False),
    PrimaryKeyConstraint("dealer_id", "as_of", "make", "model"),
)

vehicle_usage = Table(  # how far each vehicle goes in a day, and from where that is projected
    "vehicle_usage",
    metadata,
    dealer_column(),
    Column("vehicle_id", BigId, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("rate_m_per_d", Double, nullable=False),
    Column("level_variance", Double, nullable=False),
    Column("month_variance", Double, nullable=False),
    Column("weight_months", Double, nullable=False),
    Column("last_time_ms", BigInteger),  # of the last odometer reading that was kept
    Column("last_odometer_m", Double),
    Column("config_version", String(64), nullable=False),
    Column("derived_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("vehicle_id", "as_of"),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "as_of"),
)

dirty_vehicles = Table(  # whose derivations are older than their readings or records
    "dirty_vehicles",
    metadata,
    dealer_column(),
    Column("vehicle_id", BigId, primary_key=True, autoincrement=False),
    # Counts up with each new reason, so that a derivation clears only what it has seen.
    Column("marks", BigInteger, nullable=False),
    Column("marked_at", UtcDateTime, nullable=False),
    same_dealer("vehicle_id", "vehicles"),
)
