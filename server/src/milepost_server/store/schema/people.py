"""Tables of people: dealers, their staff and sessions, and owners."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text, UniqueConstraint

from milepost_server.store.schema.columns import dealer_column, metadata, one_of, same_dealer
from milepost_server.store.schema.words import Role
from milepost_server.store.types import BigId, UtcDateTime

dealers = Table(
    "dealers",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("currency", String(3), nullable=False, server_default="EUR"),  # of all of its money
    Column("created_at", UtcDateTime, nullable=False),
)

staff = Table(
    "staff",
    metadata,
    Column("id", BigId, primary_key=True),
    dealer_column(root=True),
    Column("email", String(254), nullable=False),
    Column("name", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
    one_of("role", Role),
    UniqueConstraint("email"),
    UniqueConstraint("dealer_id", "id"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    dealer_column(),
    Column("staff_id", BigId, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    same_dealer("staff_id", "staff"),
    Index(None, "dealer_id", "staff_id"),
)

owners = Table(
    "owners",
    metadata,
    Column("id", BigId, primary_key=True),
    dealer_column(root=True),
    Column("name", String(200), nullable=False),
    Column("email", String(254)),
    Column("phone", String(32)),
    Column("external_id", String(64)),  # the owner's number in the dealer's own system, where it has one
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("dealer_id", "id"),
    UniqueConstraint("dealer_id", "external_id"),
    Index(None, "dealer_id", "name"),
)
