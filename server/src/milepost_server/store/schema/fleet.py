"""Tables of vehicles and devices, whose they are and where they sit."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from milepost_server.store.schema.columns import dealer_column, metadata, one_of, same_dealer
from milepost_server.store.schema.words import Powertrain
from milepost_server.store.types import BigId, Json, UtcDateTime

vehicles = Table(
    "vehicles",
    metadata,
    Column("id", BigId, primary_key=True),
    dealer_column(root=True),
    Column("vin", String(17), nullable=False),
    Column("plate", String(16)),
    Column("make", String(64), nullable=False),
    Column("model", String(64), nullable=False),
    Column("model_year", Integer, nullable=False),
    Column("powertrain", String(16), nullable=False),
    Column("engine", String(64)),  # as the maker calls it, where schedules differ by it
    Column("duty", String(32)),  # a word that schedules know, for example severe; null: ordinary
    Column("list_price", BigInteger),  # when it was new, in minor units of the dealer's currency
    Column("first_registered_on", Date),
    Column("created_at", UtcDateTime, nullable=False),
    one_of("powertrain", Powertrain),
    UniqueConstraint("dealer_id", "vin"),
    UniqueConstraint("dealer_id", "id"),
)

ownerships = Table(
    "ownerships",
    metadata,
    Column("id", BigId, primary_key=True),
    dealer_column(),
    Column("owner_id", BigId, nullable=False),
    Column("vehicle_id", BigId, nullable=False),
    Column("start_on", Date, nullable=False),
    Column("end_on", Date),
    Column("confirmed_on", Date),  # the last day on which staff knew that it still is this owner's
    # When it was entered, and its end was; often later than the days that they name. Null: not noted.
    Column("created_at", UtcDateTime),
    Column("end_entered_at", UtcDateTime),
    CheckConstraint("end_on IS NULL OR end_on >= start_on", name="order"),
    same_dealer("owner_id", "owners"),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "owner_id"),
    Index(None, "dealer_id", "vehicle_id"),
)

devices = Table(
    "devices",
    metadata,
    Column("id", String(64), primary_key=True),
    dealer_column(root=True),
    Column("credential", Text, nullable=False),  # Mosquitto's $7$ form: never the secret itself
    Column("registered_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    # An installation changed after samples arrived: readings are to be made from the archive again.
    Column("projection_stale", Boolean, nullable=False),
    UniqueConstraint("dealer_id", "id"),
)

device_states = Table(  # the last that each device said of itself
    "device_states",
    metadata,
    dealer_column(),
    Column("device_id", String(64), nullable=False),
    # The connection that was heard of last: a random word for each start of the agent, and a count.
    Column("run", String(16), nullable=False),
    Column("connection", Integer, nullable=False),
    Column("online", Boolean, nullable=False),
    Column("since", UtcDateTime, nullable=False),  # when it came online, or went
    Column("reason", String(64)),  # why it went
    Column("birth", Json),
    Column("birth_at", UtcDateTime),
    Column("reported", Json),
    Column("reported_at", UtcDateTime),
    PrimaryKeyConstraint("device_id"),
    same_dealer("device_id", "devices"),
)

device_configs = Table(  # what is desired of each device: the newest revision, and some before it
    "device_configs",
    metadata,
    dealer_column(),
    Column("device_id", String(64), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("document", Text, nullable=False),  # as published
    Column("created_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("device_id", "revision"),
    same_dealer("device_id", "devices"),
)

installations = Table(
    "installations",
    metadata,
    Column("id", BigId, primary_key=True),
    dealer_column(),
    Column("device_id", String(64), nullable=False),
    Column("vehicle_id", BigId, nullable=False),
    Column("start_at", UtcDateTime, nullable=False),
    Column("end_at", UtcDateTime),
    CheckConstraint("end_at IS NULL OR end_at >= start_at", name="order"),
    same_dealer("device_id", "devices"),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "device_id"),
    Index(None, "dealer_id", "vehicle_id"),
)

vin_conflicts = Table(  # a device reported another VIN than that of the vehicle it is installed in
    "vin_conflicts",
    metadata,
    dealer_column(),
    Column("device_id", String(64), nullable=False),
    Column("vehicle_id", BigId, nullable=False),
    Column("vin_reported", String(256), nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("device_id", "vehicle_id", "vin_reported"),
    same_dealer("device_id", "devices"),
    same_dealer("vehicle_id", "vehicles"),
)
