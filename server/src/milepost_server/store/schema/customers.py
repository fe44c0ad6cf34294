"""Tables of what owners have signed and what they did: contracts and outcomes.

Money is in minor units (cents) of the row's ``currency``; distances are metres.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Double,
    Index,
    String,
    Table,
    UniqueConstraint,
)

from milepost_server.store.schema.columns import dealer_column, metadata, one_of, same_dealer
from milepost_server.store.schema.words import ContractKind, OutcomeKind
from milepost_server.store.types import BigId, UtcDateTime

contracts = Table(
    "contracts",
    metadata,
    Column("id", BigId, primary_key=True),
    dealer_column(),
    Column("vehicle_id", BigId, nullable=False),
    Column("owner_id", BigId),  # who signed; a warranty goes with the car
    Column("kind", String(16), nullable=False),
    Column("start_on", Date, nullable=False),
    Column("end_on", Date),  # the first day on which it is over; null where only distance ends it
    Column("start_odometer_m", BigInteger),
    Column("allowance_m", BigInteger),  # lease, subscription: distance that is paid for, over the whole term
    Column("end_odometer_m", BigInteger),  # warranty: the odometer that ends it
    Column("excess_fee_per_km", Double),
    Column("list_price", BigInteger),  # of the car when it was new
    Column("principal", BigInteger),  # what was borrowed, or the value that a lease begins with
    Column("payment_per_month", BigInteger),
    Column("annual_interest", Double),  # a share: 0.049
    Column("balloon", BigInteger),  # what is still to be paid, or the agreed residual value, at the end
    Column("currency", String(3), nullable=False),
    Column("sender_id", String(64)),  # its number in the system that sent it: sent again, it is the same
    Column("source", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    one_of("kind", ContractKind),
    CheckConstraint("end_on IS NULL OR end_on >= start_on", name="order"),
    CheckConstraint("end_on IS NOT NULL OR end_odometer_m IS NOT NULL", name="has_an_end"),
    same_dealer("vehicle_id", "vehicles"),
    same_dealer("owner_id", "owners"),
    UniqueConstraint("dealer_id", "source", "sender_id"),
    Index(None, "dealer_id", "vehicle_id"),
    Index(None, "dealer_id", "owner_id"),
)

outcomes = Table(  # what readiness models learn from, and the ledger of an owner
    "outcomes",
    metadata,
    Column("id", BigId, primary_key=True),
    dealer_column(),
    Column("owner_id", BigId, nullable=False),
    Column("vehicle_id", BigId),  # the car that was replaced, or serviced
    Column("kind", String(16), nullable=False),
    Column("happened_on", Date, nullable=False),
    Column("amount", BigInteger),
    Column("currency", String(3)),
    Column("sender_id", String(64), nullable=False),  # its number in the system that sent it
    Column("source", String(32), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),  # often weeks after it happened
    one_of("kind", OutcomeKind),
    CheckConstraint("(amount IS NULL) = (currency IS NULL)", name="amount_has_currency"),
    same_dealer("owner_id", "owners"),
    same_dealer("vehicle_id", "vehicles"),
    UniqueConstraint("dealer_id", "source", "sender_id"),
    Index(None, "dealer_id", "owner_id", "happened_on"),
    Index(None, "dealer_id", "happened_on"),
)
