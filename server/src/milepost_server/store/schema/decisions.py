"""Tables of what staff decide: readings overruled, what was done about an item, files of their own."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    String,
    Table,
    Text,
)

from milepost_server.store.schema.columns import dealer_column, metadata, one_of, same_dealer
from milepost_server.store.schema.words import DealerFileKind, ItemActionKind
from milepost_server.store.types import BigId, UtcDateTime

reading_overrules = Table(  # append-only: a person knows better than cleaning; the newest row holds
    "reading_overrules",
    metadata,
    Column("id", BigId, primary_key=True),
    dealer_column(),
    Column("stream_id", BigId, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("vehicle_id", BigId, nullable=False),
    Column("keep", Boolean),  # null: taken back, cleaning decides again
    Column("note", Text, nullable=False),
    Column("staff_id", BigId, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    same_dealer("stream_id", "streams"),
    same_dealer("vehicle_id", "vehicles"),
    same_dealer("staff_id", "staff"),
    Index(None, "dealer_id", "vehicle_id"),
)

item_actions = Table(  # append-only: where an item stands follows from all of its rows in order
    "item_actions",
    metadata,
    Column("id", BigId, primary_key=True),
    dealer_column(),
    Column("vehicle_id", BigId, nullable=False),
    Column("item", String(64), nullable=False),
    Column("action", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("staff_id", BigId, nullable=False),
    Column("for_on", Date),  # booked: the day of the appointment; done: the day of the work
    Column("until_on", Date),  # snoozed: the first day on which it needs attention again
    Column("note", Text, nullable=False),
    one_of("action", ItemActionKind),
    same_dealer("vehicle_id", "vehicles"),
    same_dealer("staff_id", "staff"),
    Index(None, "dealer_id", "vehicle_id", "item", "at"),
)

dealer_files = Table(  # append-only: the newest row of a kind and name holds
    "dealer_files",
    metadata,
    Column("id", BigId, primary_key=True),
    dealer_column(),
    Column("kind", String(16), nullable=False),
    Column("name", String(64), nullable=False),
    Column("text", Text),  # TOML, as uploaded; null: taken back
    Column("version", String(16), nullable=False),  # a digest of the text
    Column("staff_id", BigId),  # null: from the command line
    Column("at", UtcDateTime, nullable=False),
    one_of("kind", DealerFileKind),
    same_dealer("staff_id", "staff"),
    Index(None, "dealer_id", "kind", "name", "id"),
)
