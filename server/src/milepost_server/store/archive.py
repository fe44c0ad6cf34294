"""Queries on the archive: payloads as they came, from which everything else can be derived again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from milepost_server.store.schema import batches

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class ArchivedBatch:
    """One payload; ``vehicle_id`` is where its device was installed when it arrived."""

    dealer_id: int
    stream_id: int
    vehicle_id: int | None
    first_seq: int
    last_seq: int
    received_at: dt.datetime
    payload: bytes


_COLUMNS = (
    batches.c.dealer_id,
    batches.c.stream_id,
    batches.c.vehicle_id,
    batches.c.first_seq,
    batches.c.last_seq,
    batches.c.received_at,
    batches.c.payload,
)


async def add(connection: AsyncConnection, rows: Sequence[ArchivedBatch]) -> None:
    """Archive payloads, in this order."""
    if rows:
        await connection.execute(
            insert(batches), [{column.name: getattr(row, column.name) for column in _COLUMNS} for row in rows]
        )


async def overlapping(
    connection: AsyncConnection, dealer_id: int, stream_id: int, first: int, last: int, *, limit: int
) -> Sequence[ArchivedBatch]:
    """At most ``limit`` batches of the stream that cover a seq from ``first`` to ``last``, as they came."""
    query = (
        select(*_COLUMNS)
        .where(batches.c.dealer_id == dealer_id, batches.c.stream_id == stream_id)
        .where(batches.c.first_seq <= last, batches.c.last_seq >= first)
        .order_by(batches.c.id)
        .limit(limit)
    )
    return [ArchivedBatch(*row) for row in await connection.execute(query)]


async def page(
    connection: AsyncConnection, dealer_id: int, stream_id: int, *, after_id: int, limit: int
) -> Sequence[tuple[int, ArchivedBatch]]:
    """At most ``limit`` (id, batch) of the stream with a greater id than ``after_id``, as they came."""
    query = (
        select(batches.c.id, *_COLUMNS)
        .where(batches.c.dealer_id == dealer_id, batches.c.stream_id == stream_id, batches.c.id > after_id)
        .order_by(batches.c.id)
        .limit(limit)
    )
    return [(row[0], ArchivedBatch(*row[1:])) for row in await connection.execute(query)]
