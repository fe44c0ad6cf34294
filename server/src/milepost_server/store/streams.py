"""Queries on streams: the row per (device, epoch) that ingest locks, and its committed ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, tuple_, update

from milepost_server.store.rows import upsert
from milepost_server.store.schema import stream_ranges, streams

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

_LOCKED = "the lock is taken by (device, epoch), which names the dealer; one group holds streams of many"


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A locked stream and what of it is committed: up to ``watermark``, and ``ranges`` above, ascending."""

    id: int
    dealer_id: int
    device_id: str
    epoch: str
    watermark: int
    ranges: tuple[tuple[int, int], ...]


async def lock(
    connection: AsyncConnection, keys: Collection[tuple[int, str, str]], *, now: dt.datetime
) -> dict[tuple[str, str], StreamRow]:
    """Lock the streams of ``keys`` (dealer, device, epoch), made where they are new, until the commit.

    All workers lock in the same order, so that none waits in a circle. Returned by (device, epoch).
    """
    if not keys:
        return {}
    ordered = sorted(keys, key=lambda key: key[1:])
    await connection.execute(
        upsert(connection, streams).on_conflict_do_nothing(index_elements=["device_id", "epoch"]),
        [
            {
                "dealer_id": dealer_id,
                "device_id": device_id,
                "epoch": epoch,
                "watermark": 0,
                "created_at": now,
                "received_at": now,
            }
            for dealer_id, device_id, epoch in ordered
        ],
    )
    query = (
        select(streams.c.id, streams.c.dealer_id, streams.c.device_id, streams.c.epoch, streams.c.watermark)
        .where(tuple_(streams.c.device_id, streams.c.epoch).in_([key[1:] for key in ordered]))
        .order_by(streams.c.device_id, streams.c.epoch)
        .with_for_update()
        .execution_options(across_dealers=_LOCKED)
    )
    rows = (await connection.execute(query)).all()
    ranges = await _ranges(connection, [row.id for row in rows])
    return {(row.device_id, row.epoch): StreamRow(*row, ranges=tuple(ranges.get(row.id, ()))) for row in rows}


async def save(
    connection: AsyncConnection,
    stream: StreamRow,
    *,
    watermark: int,
    ranges: Sequence[tuple[int, int]],
    received_at: dt.datetime,
) -> None:
    """Write what of a locked stream is committed now."""
    await connection.execute(
        update(streams)
        .where(streams.c.dealer_id == stream.dealer_id, streams.c.id == stream.id)
        .values(watermark=watermark, received_at=received_at)
    )
    if tuple(ranges) == stream.ranges:
        return
    await connection.execute(
        delete(stream_ranges).where(
            stream_ranges.c.dealer_id == stream.dealer_id, stream_ranges.c.stream_id == stream.id
        )
    )
    if ranges:
        await connection.execute(
            insert(stream_ranges),
            [
                {"dealer_id": stream.dealer_id, "stream_id": stream.id, "first_seq": low, "last_seq": high}
                for low, high in ranges
            ],
        )


async def of_device(connection: AsyncConnection, dealer_id: int, device_id: str) -> Sequence[StreamRow]:
    """The device's streams, the oldest first, locked until the commit."""
    query = (
        select(streams.c.id, streams.c.dealer_id, streams.c.device_id, streams.c.epoch, streams.c.watermark)
        .where(streams.c.dealer_id == dealer_id, streams.c.device_id == device_id)
        .order_by(streams.c.device_id, streams.c.epoch)
        .with_for_update()
    )
    rows = (await connection.execute(query)).all()
    ranges = await _ranges(connection, [row.id for row in rows])
    return sorted(
        (StreamRow(*row, ranges=tuple(ranges.get(row.id, ()))) for row in rows), key=lambda row: row.id
    )


async def _ranges(
    connection: AsyncConnection, stream_ids: Collection[int]
) -> dict[int, list[tuple[int, int]]]:
    query = (
        select(stream_ranges.c.stream_id, stream_ranges.c.first_seq, stream_ranges.c.last_seq)
        .where(stream_ranges.c.stream_id.in_(stream_ids))
        .order_by(stream_ranges.c.stream_id, stream_ranges.c.first_seq)
        .execution_options(across_dealers=_LOCKED)
    )
    found: dict[int, list[tuple[int, int]]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.stream_id, []).append((row.first_seq, row.last_seq))
    return found
