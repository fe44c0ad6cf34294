"""Writes the results of a chunk of vehicles, all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select

from milepost_server.derivation.rows import usage as rows
from milepost_server.store.rows import upsert
from milepost_server.store.schema import (
    odometer_judgements,
    owner_signals,
    readiness,
    service_due,
    vehicle_faults,
    vehicle_health,
    vehicle_usage,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

ROWS_A_STATEMENT_MAX = 4_000
OF_VEHICLES = (service_due, vehicle_usage, vehicle_faults, vehicle_health, readiness)
"""Tables that hold what was derived of vehicles for a day."""


class Stamp(NamedTuple):
    """What every row of one derivation carries."""

    dealer_id: int
    as_of: dt.date
    config_version: str
    derived_at: dt.datetime


class Prepared(NamedTuple):
    """All rows of a chunk, ready to be written."""

    vehicle_ids: Sequence[int]
    usage: list[rows.Row]
    due: list[rows.Row]
    faults: list[rows.Row]
    health: list[rows.Row]
    readiness: list[rows.Row]
    judgements: list[rows.Row]


async def write(connection: AsyncConnection, prepared: Prepared, stamp: Stamp) -> int:
    """Write a chunk in the caller's transaction; return how many judgements are new or changed.

    Judgements are of readings, not of a date: a derivation of a past date leaves those of vehicles alone that
    were derived for a later one.
    """
    ids = prepared.vehicle_ids
    later = await _derived_later(connection, ids, stamp)
    for table in OF_VEHICLES:
        await connection.execute(
            delete(table).where(
                table.c.dealer_id == stamp.dealer_id,
                table.c.vehicle_id.in_(ids),
                table.c.as_of == stamp.as_of,
            )
        )
    common = stamp._asdict()
    await _insert(connection, vehicle_usage, [{**row, **common} for row in prepared.usage])
    await _insert(connection, service_due, [{**row, **common} for row in prepared.due])
    await _insert(connection, vehicle_faults, [{**row, **common} for row in prepared.faults])
    await _insert(connection, vehicle_health, [{**row, **common} for row in prepared.health])
    await _insert(connection, readiness, [{**row, **common} for row in prepared.readiness])
    current = [row for row in prepared.judgements if row["vehicle_id"] not in later]
    return await _write_judgements(connection, stamp.dealer_id, sorted(set(ids) - later), current)


async def write_owners(
    connection: AsyncConnection, owner_ids: Sequence[int], found: list[rows.Row], stamp: Stamp
) -> None:
    """Put the signals of these owners in place of those of the same day, in the caller's transaction."""
    c = owner_signals.c
    await connection.execute(
        delete(owner_signals).where(
            c.dealer_id == stamp.dealer_id, c.owner_id.in_(owner_ids), c.as_of == stamp.as_of
        )
    )
    await _insert(connection, owner_signals, [{**row, **stamp._asdict()} for row in found])


async def clear(connection: AsyncConnection, dealer_id: int, as_of: dt.date) -> None:
    """Delete the dealer's list of that day, to be made anew."""
    for table in (*OF_VEHICLES, owner_signals):
        await connection.execute(delete(table).where(table.c.dealer_id == dealer_id, table.c.as_of == as_of))


async def _derived_later(connection: AsyncConnection, ids: Sequence[int], stamp: Stamp) -> set[int]:
    c = vehicle_usage.c
    query = (
        select(c.vehicle_id)
        .where(c.dealer_id == stamp.dealer_id, c.vehicle_id.in_(ids))
        .group_by(c.vehicle_id)
        .having(func.max(c.as_of) > stamp.as_of)
    )
    return set((await connection.execute(query)).scalars())


async def _write_judgements(
    connection: AsyncConnection, dealer_id: int, ids: Sequence[int], judged: list[rows.Row]
) -> int:
    """Write the judgements that differ from what is there: nearly all of them stay as they are."""
    c = odometer_judgements.c
    query = select(c.stream_id, c.seq, c.vehicle_id, c.clean_m, c.segment, c.kept, c.reason).where(
        c.dealer_id == dealer_id, c.vehicle_id.in_(ids)
    )
    known = {(row[0], row[1]): tuple(row[2:]) for row in await connection.execute(query)}
    changed = []
    for row in judged:
        if known.pop((row["stream_id"], row["seq"]), None) != _judgement(row):
            changed.append({**row, "dealer_id": dealer_id})
    await _drop_judgements(connection, dealer_id, list(known))
    statement = upsert(connection, odometer_judgements)
    names = ("vehicle_id", "time_ms", "odometer_m", "clean_m", "segment", "kept", "reason")
    statement = statement.on_conflict_do_update(
        index_elements=["stream_id", "seq"], set_={name: statement.excluded[name] for name in names}
    )
    for start in range(0, len(changed), ROWS_A_STATEMENT_MAX):
        await connection.execute(statement, changed[start : start + ROWS_A_STATEMENT_MAX])
    return len(changed)


async def _drop_judgements(
    connection: AsyncConnection, dealer_id: int, keys: Sequence[tuple[int, int]]
) -> None:
    """Drop judgements of readings that are gone, or are another vehicle's now."""
    c = odometer_judgements.c
    statement = delete(odometer_judgements).where(
        c.dealer_id == bindparam("dealer"), c.stream_id == bindparam("stream"), c.seq == bindparam("number")
    )
    values = [{"dealer": dealer_id, "stream": stream, "number": seq} for stream, seq in keys]
    for start in range(0, len(values), ROWS_A_STATEMENT_MAX):
        await connection.execute(statement, values[start : start + ROWS_A_STATEMENT_MAX])


def _judgement(row: rows.Row) -> tuple[Any, ...]:
    return (row["vehicle_id"], row["clean_m"], row["segment"], row["kept"], row["reason"])


async def _insert(connection: AsyncConnection, table: Table, values: list[rows.Row]) -> None:
    for start in range(0, len(values), ROWS_A_STATEMENT_MAX):
        await connection.execute(insert(table), values[start : start + ROWS_A_STATEMENT_MAX])
