"""All tables of the server.

Every row about people, vehicles or devices belongs to a dealer. Foreign keys between such tables include
``dealer_id``, so that the database itself refuses a row that crosses from one dealer to another.
"""

from __future__ import annotations

import enum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from milepost_server.store.types import BigId, Json, UtcDateTime

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)


class Role(enum.StrEnum):
    """What a member of staff may do; a manager may do all of it."""

    SERVICE = "service"
    SALES = "sales"
    MARKETING = "marketing"
    MANAGER = "manager"


class Powertrain(enum.StrEnum):
    """Which set of service items a vehicle has."""

    COMBUSTION = "combustion"
    HYBRID = "hybrid"
    EV = "ev"


class QuarantineState(enum.StrEnum):
    """What people have done with a payload that could not be understood."""

    HELD = "held"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class DueState(enum.StrEnum):
    """Where an item stands on the way to its due date."""

    UNKNOWN = "unknown"
    OK = "ok"
    UPCOMING = "upcoming"
    DUE = "due"
    OVERDUE = "overdue"


def _one_of(column: str, words: type[enum.StrEnum]) -> CheckConstraint:
    quoted = ", ".join(f"'{word.value}'" for word in words)
    return CheckConstraint(f"{column} IN ({quoted})", name=column)


def _dealer(*, root: bool = False) -> Column[int]:
    """``root`` tables refer to the dealer itself; others reach it through their parent's key."""
    if root:
        return Column("dealer_id", BigId, ForeignKey("dealers.id"), nullable=False)
    return Column("dealer_id", BigId, nullable=False)


def _same_dealer(column: str, parent: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["dealer_id", column], [f"{parent}.dealer_id", f"{parent}.id"])


# --- People -----------------------------------------------------------------------------------------------

dealers = Table(
    "dealers",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

staff = Table(
    "staff",
    metadata,
    Column("id", BigId, primary_key=True),
    _dealer(root=True),
    Column("email", String(254), nullable=False),
    Column("name", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
    _one_of("role", Role),
    UniqueConstraint("email"),
    UniqueConstraint("dealer_id", "id"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    _dealer(),
    Column("staff_id", BigId, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    _same_dealer("staff_id", "staff"),
    Index(None, "dealer_id", "staff_id"),
)

owners = Table(
    "owners",
    metadata,
    Column("id", BigId, primary_key=True),
    _dealer(root=True),
    Column("name", String(200), nullable=False),
    Column("email", String(254)),
    Column("phone", String(32)),
    Column("external_id", String(64)),  # the owner's number in the dealer's own system, where it has one
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("dealer_id", "id"),
    UniqueConstraint("dealer_id", "external_id"),
    Index(None, "dealer_id", "name"),
)

# --- Vehicles and devices ---------------------------------------------------------------------------------

vehicles = Table(
    "vehicles",
    metadata,
    Column("id", BigId, primary_key=True),
    _dealer(root=True),
    Column("vin", String(17), nullable=False),
    Column("plate", String(16)),
    Column("make", String(64), nullable=False),
    Column("model", String(64), nullable=False),
    Column("model_year", Integer, nullable=False),
    Column("powertrain", String(16), nullable=False),
    Column("first_registered_on", Date),
    Column("created_at", UtcDateTime, nullable=False),
    _one_of("powertrain", Powertrain),
    UniqueConstraint("dealer_id", "vin"),
    UniqueConstraint("dealer_id", "id"),
)

ownerships = Table(
    "ownerships",
    metadata,
    Column("id", BigId, primary_key=True),
    _dealer(),
    Column("owner_id", BigId, nullable=False),
    Column("vehicle_id", BigId, nullable=False),
    Column("start_on", Date, nullable=False),
    Column("end_on", Date),
    CheckConstraint("end_on IS NULL OR end_on >= start_on", name="order"),
    _same_dealer("owner_id", "owners"),
    _same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "owner_id"),
    Index(None, "dealer_id", "vehicle_id"),
)

devices = Table(
    "devices",
    metadata,
    Column("id", String(64), primary_key=True),
    _dealer(root=True),
    Column("credential", Text, nullable=False),  # Mosquitto's $7$ form: never the secret itself
    Column("registered_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    # An installation changed after samples arrived: readings are to be made from the archive again.
    Column("projection_stale", Boolean, nullable=False),
    UniqueConstraint("dealer_id", "id"),
)

installations = Table(
    "installations",
    metadata,
    Column("id", BigId, primary_key=True),
    _dealer(),
    Column("device_id", String(64), nullable=False),
    Column("vehicle_id", BigId, nullable=False),
    Column("start_at", UtcDateTime, nullable=False),
    Column("end_at", UtcDateTime),
    CheckConstraint("end_at IS NULL OR end_at >= start_at", name="order"),
    _same_dealer("device_id", "devices"),
    _same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "device_id"),
    Index(None, "dealer_id", "vehicle_id"),
)

vin_conflicts = Table(  # a device reported another VIN than that of the vehicle it is installed in
    "vin_conflicts",
    metadata,
    _dealer(),
    Column("device_id", String(64), nullable=False),
    Column("vehicle_id", BigId, nullable=False),
    Column("vin_reported", String(256), nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("device_id", "vehicle_id", "vin_reported"),
    _same_dealer("device_id", "devices"),
    _same_dealer("vehicle_id", "vehicles"),
)

# --- What arrives -----------------------------------------------------------------------------------------

streams = Table(  # one row per (device, epoch): the row that ingest locks
    "streams",
    metadata,
    Column("id", BigId, primary_key=True),
    _dealer(),
    Column("device_id", String(64), nullable=False),
    Column("epoch", String(16), nullable=False),
    Column("watermark", BigInteger, nullable=False),  # nothing is missing up to here; 0 = nothing yet
    Column("created_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),  # the last payload that brought something new
    _same_dealer("device_id", "devices"),
    UniqueConstraint("device_id", "epoch"),
    UniqueConstraint("dealer_id", "id"),
)

stream_ranges = Table(  # committed ranges above the watermark, disjoint and not adjacent
    "stream_ranges",
    metadata,
    _dealer(),
    Column("stream_id", BigId, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("stream_id", "first_seq"),
    CheckConstraint("last_seq >= first_seq", name="order"),
    _same_dealer("stream_id", "streams"),
)

batches = Table(  # the immutable archive: everything else can be derived from it again
    "batches",
    metadata,
    Column("id", BigId, primary_key=True),
    _dealer(),
    Column("stream_id", BigId, nullable=False),
    Column("vehicle_id", BigId),  # where the device was installed when the payload arrived
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    _same_dealer("stream_id", "streams"),
    _same_dealer("vehicle_id", "vehicles"),
    Index(None, "stream_id", "first_seq"),
)

readings = Table(  # projection of the archive: every sample but those of class series
    "readings",
    metadata,
    _dealer(),
    Column("stream_id", BigId, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("vehicle_id", BigId, nullable=False),
    Column("signal", String(128), nullable=False),
    Column("time_ms", BigInteger, nullable=False),  # device time since 1970 UTC, as sent
    Column("trust", String(16), nullable=False),
    # False for a time that is before any device was made, or later than its receipt: the value stands, but
    # it is never the latest, nor is it placed on a time axis.
    Column("time_plausible", Boolean, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("value_num", Double),  # in the unit of the catalogue; booleans as 0 and 1
    Column("value_text", Text),
    PrimaryKeyConstraint("stream_id", "seq"),
    CheckConstraint("(value_num IS NULL) <> (value_text IS NULL)", name="one_value"),
    _same_dealer("stream_id", "streams"),
    _same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "vehicle_id", "signal", "time_ms"),
)

gaps = Table(  # what the device says it dropped
    "gaps",
    metadata,
    _dealer(),
    Column("stream_id", BigId, nullable=False),
    # The hull of the seqs that this report added to what is known as dropped; seqs that were stored, or
    # reported dropped, before the report came are not counted again.
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("vehicle_id", BigId),  # where the device was installed when the report arrived
    Column("reason", String(32), nullable=False),
    Column("counts", Json, nullable=False),  # {signal class or "unknown": samples dropped}
    Column("received_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("stream_id", "first_seq"),
    CheckConstraint("last_seq >= first_seq", name="order"),
    _same_dealer("stream_id", "streams"),
    _same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "vehicle_id"),
)

quarantine = Table(  # payloads kept whole; those of unknown devices belong to no dealer, operators see them
    "quarantine",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("dealer_id", BigId, ForeignKey("dealers.id")),
    Column("device_id", String(256)),  # as the topic says it, whether registered or not
    Column("topic", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("digest", String(64), nullable=False),  # of topic and payload: the same one is kept once
    Column("state", String(16), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    _one_of("state", QuarantineState),
    UniqueConstraint("digest"),
    Index(None, "dealer_id", "state", "received_at"),
    Index(None, "device_id", "state"),
)

refusals = Table(  # samples that are in the archive but not in the readings, and why
    "refusals",
    metadata,
    _dealer(),
    Column("device_id", String(64), nullable=False),
    Column("signal", String(128), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("samples", BigInteger, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("detail", Text, nullable=False),  # of the last one
    PrimaryKeyConstraint("device_id", "signal", "reason"),
    _same_dealer("device_id", "devices"),
)

# --- What is derived --------------------------------------------------------------------------------------

service_records = Table(
    "service_records",
    metadata,
    Column("id", BigId, primary_key=True),
    _dealer(),
    Column("vehicle_id", BigId, nullable=False),
    Column("item", String(64), nullable=False),
    Column("done_on", Date, nullable=False),
    Column("odometer_m", BigInteger),
    Column("source", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    _same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "vehicle_id", "item", "done_on"),
)

odometer_judgements = Table(  # what cleaning made of each odometer reading
    "odometer_judgements",
    metadata,
    _dealer(),
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
    _same_dealer("stream_id", "streams"),
    _same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "vehicle_id", "time_ms"),
)

service_due = Table(
    "service_due",
    metadata,
    _dealer(),
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
    Column("limit_text", Text, nullable=False),
    Column("evidence", Json, nullable=False),  # readings and records that the numbers rest on
    Column("config_version", String(64), nullable=False),
    Column("derived_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("vehicle_id", "item", "as_of"),
    _one_of("state", DueState),
    _same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "as_of", "p50_on"),
)

usage_priors = Table(  # what a dealer's vehicles of one model do in a day, before one of them is looked at
    "usage_priors",
    metadata,
    _dealer(root=True),
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
    _dealer(),
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
    _same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "as_of"),
)

dirty_vehicles = Table(  # whose derivations are older than their readings or records
    "dirty_vehicles",
    metadata,
    _dealer(),
    Column("vehicle_id", BigId, primary_key=True, autoincrement=False),
    # Counts up with each new reason, so that a derivation clears only what it has seen.
    Column("marks", BigInteger, nullable=False),
    Column("marked_at", UtcDateTime, nullable=False),
    _same_dealer("vehicle_id", "vehicles"),
)

GLOBAL_TABLES = frozenset({dealers.name})
TENANT_TABLES = tuple(table for table in metadata.sorted_tables if table.name not in GLOBAL_TABLES)
