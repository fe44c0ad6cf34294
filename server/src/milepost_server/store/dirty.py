"""Queries on dirty vehicles: those whose derivations are older than their readings or records."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, select

from milepost_server.store.rows import upsert
from milepost_server.store.schema import dirty_vehicles

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


class DirtyVehicle(NamedTuple):
    """A vehicle to derive; ``marks`` is what ``clear`` needs to know."""

    dealer_id: int
    vehicle_id: int
    marks: int


async def mark(connection: AsyncConnection, pairs: Iterable[tuple[int, int]], *, now: dt.datetime) -> None:
    """Mark each (dealer, vehicle). In one order for all workers, so that none waits in a circle."""
    for dealer_id, vehicle_id in sorted(set(pairs)):
        statement = upsert(connection, dirty_vehicles).values(
            dealer_id=dealer_id, vehicle_id=vehicle_id, marks=1, marked_at=now
        )
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["vehicle_id"], set_={"marks": dirty_vehicles.c.marks + 1, "marked_at": now}
            )
        )


async def oldest(connection: AsyncConnection, limit: int) -> Sequence[DirtyVehicle]:
    """At most ``limit`` dirty vehicles of all dealers, the longest waiting first."""
    query = (
        select(dirty_vehicles.c.dealer_id, dirty_vehicles.c.vehicle_id, dirty_vehicles.c.marks)
        .order_by(dirty_vehicles.c.marked_at, dirty_vehicles.c.vehicle_id)
        .limit(limit)
        .execution_options(across_dealers="one pass derives for all dealers, one vehicle at a time")
    )
    return [DirtyVehicle(*row) for row in await connection.execute(query)]


async def clear(connection: AsyncConnection, seen: Iterable[DirtyVehicle]) -> None:
    """Unmark vehicles that were derived, unless they were marked again meanwhile."""
    for dealer_id, vehicle_id, marks in seen:
        await connection.execute(
            delete(dirty_vehicles).where(
                dirty_vehicles.c.dealer_id == dealer_id,
                dirty_vehicles.c.vehicle_id == vehicle_id,
                dirty_vehicles.c.marks == marks,
            )
        )
