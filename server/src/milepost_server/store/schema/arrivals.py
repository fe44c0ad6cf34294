"""Tables of what arrives: streams, the archive, its projection, gaps, and what was not understood."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from milepost_server.store.schema.columns import dealer_column, metadata, one_of, same_dealer
from milepost_server.store.schema.words import QuarantineState
from milepost_server.store.types import BigId, Json, UtcDateTime

streams = Table(  # one row per (device, epoch): the row that ingest locks
    "streams",
    metadata,
    Column("id", BigId, primary_key=True),
    dealer_column(),
    Column("device_id", String(64), nullable=False),
    Column("epoch", String(16), nullable=False),
    Column("watermark", BigInteger, nullable=False),  # nothing is missing up to here; 0 = nothing yet
    Column("created_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),  # the last payload that brought something new
    same_dealer("device_id", "devices"),
    UniqueConstraint("device_id", "epoch"),
    UniqueConstraint("dealer_id", "id"),
)

stream_ranges = Table(  # committed ranges above the watermark, disjoint and not adjacent
    "stream_ranges",
    metadata,
    dealer_column(),
    Column("stream_id", BigId, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("stream_id", "first_seq"),
    CheckConstraint("last_seq >= first_seq", name="order"),
    same_dealer("stream_id", "streams"),
)

batches = Table(  # the immutable archive: everything else can be derived from it again
    "batches",
    metadata,
    Column("id", BigId, primary_key=True),
    dealer_column(),
    Column("stream_id", BigId, nullable=False),
    Column("vehicle_id", BigId),  # where the device was installed when the payload arrived
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    same_dealer("stream_id", "streams"),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "stream_id", "id"),  # pages, as they came
    # What is sent again is near the end of its stream: by the last seq few rows are looked at.
    Index(None, "stream_id", "last_seq"),
)

readings = Table(  # projection of the archive: every sample but those of class series
    "readings",
    metadata,
    dealer_column(),
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
    same_dealer("stream_id", "streams"),
    same_dealer("vehicle_id", "vehicles"),
    Index(None, "dealer_id", "vehicle_id", "signal", "time_ms"),
)

gaps = Table(  # what the device says it dropped
    "gaps",
    metadata,
    dealer_column(),
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
    same_dealer("stream_id", "streams"),
    same_dealer("vehicle_id", "vehicles"),
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
    one_of("state", QuarantineState),
    UniqueConstraint("digest"),
    Index(None, "dealer_id", "state", "received_at"),
    Index(None, "device_id", "state"),
)

refusals = Table(  # samples that are in the archive but not in the readings, and why
    "refusals",
    metadata,
    dealer_column(),
    Column("device_id", String(64), nullable=False),
    Column("signal", String(128), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("samples", BigInteger, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("detail", Text, nullable=False),  # of the last one
    PrimaryKeyConstraint("device_id", "signal", "reason"),
    same_dealer("device_id", "devices"),
)
