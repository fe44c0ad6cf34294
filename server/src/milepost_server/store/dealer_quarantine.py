"""Queries on the quarantine as one dealer's staff sees it: payloads of the dealer's own devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from milepost_server.store.schema import QuarantineState, quarantine

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class PayloadRow:
    """A payload in quarantine, without its bytes."""

    id: int
    device_id: str | None
    reason: str
    detail: str
    state: QuarantineState
    size_bytes: int
    received_at: dt.datetime
    settled_at: dt.datetime | None


_COLUMNS = (
    quarantine.c.id,
    quarantine.c.device_id,
    quarantine.c.reason,
    quarantine.c.detail,
    quarantine.c.state,
    func.length(quarantine.c.payload),
    quarantine.c.received_at,
    quarantine.c.settled_at,
)


async def page(
    connection: AsyncConnection,
    dealer_id: int,
    *,
    state: QuarantineState,
    before_id: int | None,
    limit: int,
) -> Sequence[PayloadRow]:
    """At most ``limit`` payloads in that state with a smaller id than ``before_id``, the latest first."""
    query = (
        select(*_COLUMNS)
        .where(quarantine.c.dealer_id == dealer_id, quarantine.c.state == state.value)
        .order_by(quarantine.c.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        query = query.where(quarantine.c.id < before_id)
    rows = await connection.execute(query)
    return [PayloadRow(*row[:4], QuarantineState(row[4]), *row[5:]) for row in rows]


async def has(connection: AsyncConnection, dealer_id: int, quarantine_id: int) -> bool:
    """Whether the payload with this id is the dealer's."""
    query = select(quarantine.c.id).where(
        quarantine.c.dealer_id == dealer_id, quarantine.c.id == quarantine_id
    )
    return (await connection.execute(query)).first() is not None


async def counts(connection: AsyncConnection, dealer_id: int) -> dict[QuarantineState, int]:
    """How many payloads there are by state; all states are there."""
    query = (
        select(quarantine.c.state, func.count())
        .where(quarantine.c.dealer_id == dealer_id)
        .group_by(quarantine.c.state)
    )
    found = {QuarantineState(row[0]): int(row[1]) for row in await connection.execute(query)}
    return {state: found.get(state, 0) for state in QuarantineState}
