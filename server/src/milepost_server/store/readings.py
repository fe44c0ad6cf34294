"""Queries on readings, the projection of the archive that all else uses, and on what it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from milepost_server.store.rows import upsert
from milepost_server.store.schema import gaps, readings, refusals, vin_conflicts

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

ROWS_A_STATEMENT_MAX = 4096


async def add(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add readings; one that exists already stays as it is. Keys of each row: the table's columns."""
    statement = upsert(connection, readings).on_conflict_do_nothing(index_elements=["stream_id", "seq"])
    for start in range(0, len(rows), ROWS_A_STATEMENT_MAX):
        await connection.execute(statement, list(rows[start : start + ROWS_A_STATEMENT_MAX]))


async def texts(
    connection: AsyncConnection, dealer_id: int, stream_ids: Collection[int], signal: str
) -> Sequence[tuple[int, int, str]]:
    """(vehicle, time in ms, value) of all readings of a signal of text in these streams."""
    c = readings.c
    query = select(c.vehicle_id, c.time_ms, c.value_text).where(
        c.dealer_id == dealer_id, c.stream_id.in_(stream_ids), c.signal == signal
    )
    return [(vehicle_id, time_ms, text) for vehicle_id, time_ms, text in await connection.execute(query)]


async def forget_streams(
    connection: AsyncConnection, dealer_id: int, stream_ids: Collection[int]
) -> set[int]:
    """Delete all readings of these streams, to be made anew; return the vehicles that lose some."""
    mine = (readings.c.dealer_id == dealer_id) & readings.c.stream_id.in_(stream_ids)
    vehicles = set((await connection.execute(select(readings.c.vehicle_id).where(mine).distinct())).scalars())
    await connection.execute(delete(readings).where(mine))
    return vehicles


async def add_gaps(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note what devices dropped."""
    if rows:
        await connection.execute(insert(gaps), list(rows))


async def count_refusal(
    connection: AsyncConnection,
    dealer_id: int,
    device_id: str,
    *,
    signal: str,
    reason: str,
    samples: int,
    detail: str,
    now: dt.datetime,
) -> None:
    """Count samples of a signal that are in the archive and not in the readings."""
    statement = upsert(connection, refusals).values(
        dealer_id=dealer_id,
        device_id=device_id,
        signal=signal,
        reason=reason,
        samples=samples,
        first_at=now,
        last_at=now,
        detail=detail,
    )
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["device_id", "signal", "reason"],
            set_={"samples": refusals.c.samples + samples, "last_at": now, "detail": detail},
        )
    )


async def refused_signals(
    connection: AsyncConnection, dealer_id: int, device_id: str
) -> set[tuple[str, str]]:
    """(signal, reason) that are counted for the device."""
    query = select(refusals.c.signal, refusals.c.reason).where(
        refusals.c.dealer_id == dealer_id, refusals.c.device_id == device_id
    )
    return {(row.signal, row.reason) for row in await connection.execute(query)}


async def forget_refusals(connection: AsyncConnection, dealer_id: int, device_id: str) -> None:
    """Begin to count the device's refused samples anew."""
    await connection.execute(
        delete(refusals).where(refusals.c.dealer_id == dealer_id, refusals.c.device_id == device_id)
    )


async def note_vin_conflict(
    connection: AsyncConnection,
    dealer_id: int,
    device_id: str,
    *,
    vehicle_id: int,
    vin_reported: str,
    now: dt.datetime,
) -> None:
    """Note that the car in which the device sits reports another VIN than the vehicle's."""
    statement = upsert(connection, vin_conflicts).values(
        dealer_id=dealer_id,
        device_id=device_id,
        vehicle_id=vehicle_id,
        vin_reported=vin_reported,
        first_at=now,
        last_at=now,
    )
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["device_id", "vehicle_id", "vin_reported"], set_={"last_at": now}
        )
    )
