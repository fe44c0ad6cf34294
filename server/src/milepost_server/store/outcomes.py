"""Queries on outcomes: what owners did in the end, as the dealer's other systems tell it, often late."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from milepost_server.store.schema import OutcomeKind, outcomes

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

REPLACEMENTS = (OutcomeKind.REPLACED, OutcomeKind.SALE, OutcomeKind.LEASE, OutcomeKind.SUBSCRIPTION)
"""Those that readiness foretells; a service is what keeps a car."""
OF_OWNER_MAX = 500


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One outcome; ``amount`` in minor units of ``currency``."""

    id: int
    owner_id: int
    vehicle_id: int | None
    kind: OutcomeKind
    happened_on: dt.date
    amount: int | None
    currency: str | None
    sender_id: str
    source: str


_COLUMNS = tuple(outcomes.c[field.name] for field in fields(OutcomeRow))


def _outcome(row: RowMapping) -> OutcomeRow:
    return OutcomeRow(**{**row, "kind": OutcomeKind(row["kind"])})


async def page(
    connection: AsyncConnection, dealer_id: int, *, after_id: int, limit: int
) -> Sequence[OutcomeRow]:
    """At most ``limit`` outcomes with a greater id than ``after_id``, by id."""
    query = (
        select(*_COLUMNS)
        .where(outcomes.c.dealer_id == dealer_id, outcomes.c.id > after_id)
        .order_by(outcomes.c.id)
        .limit(limit)
    )
    return [_outcome(row) for row in (await connection.execute(query)).mappings()]


async def of_owner(
    connection: AsyncConnection, dealer_id: int, owner_id: int, until: dt.date
) -> Sequence[OutcomeRow]:
    """The last ``OF_OWNER_MAX`` outcomes of an owner up to a day, the latest first."""
    query = (
        select(*_COLUMNS)
        .where(outcomes.c.dealer_id == dealer_id, outcomes.c.owner_id == owner_id)
        .where(outcomes.c.happened_on <= until)
        .order_by(outcomes.c.happened_on.desc(), outcomes.c.id.desc())
        .limit(OF_OWNER_MAX)
    )
    return [_outcome(row) for row in (await connection.execute(query)).mappings()]


async def put(
    connection: AsyncConnection, dealer_id: int, values: Mapping[str, Any], *, now: dt.datetime
) -> tuple[OutcomeRow, bool]:
    """Add an outcome, or bring the one with the same source and ``sender_id`` up to date.

    ``values`` are the columns of `OutcomeRow` without ``id``. Says whether anything is new.

    Raises:
        sqlalchemy.exc.IntegrityError: owner and vehicle are not both the dealer's.
    """
    query = select(*_COLUMNS).where(
        outcomes.c.dealer_id == dealer_id,
        outcomes.c.source == values["source"],
        outcomes.c.sender_id == values["sender_id"],
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        made = await connection.execute(
            insert(outcomes).values(dealer_id=dealer_id, received_at=now, **values).returning(outcomes.c.id)
        )
        return OutcomeRow(id=made.scalar_one(), **values), True
    known, wanted = _outcome(row), OutcomeRow(id=row["id"], **values)
    if known != wanted:
        await connection.execute(
            update(outcomes)
            .where(outcomes.c.dealer_id == dealer_id, outcomes.c.id == known.id)
            .values(**values)
        )
    return wanted, known != wanted
