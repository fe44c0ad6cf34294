"""Queries on installations, for people to look at; ``devices.install`` is what makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from milepost_server.store.schema import installations

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class InstallationView:
    """One device's time in one vehicle; ``end_at`` is None while it sits there."""

    id: int
    device_id: str
    vehicle_id: int
    start_at: dt.datetime
    end_at: dt.datetime | None


_COLUMNS = (
    installations.c.id,
    installations.c.device_id,
    installations.c.vehicle_id,
    installations.c.start_at,
    installations.c.end_at,
)


async def of_vehicle(
    connection: AsyncConnection, dealer_id: int, vehicle_id: int
) -> Sequence[InstallationView]:
    """All installations in a vehicle, the latest first."""
    query = (
        select(*_COLUMNS)
        .where(installations.c.dealer_id == dealer_id, installations.c.vehicle_id == vehicle_id)
        .order_by(installations.c.start_at.desc(), installations.c.id.desc())
    )
    return [InstallationView(*row) for row in await connection.execute(query)]


async def page(
    connection: AsyncConnection, dealer_id: int, *, after_id: int, limit: int
) -> Sequence[InstallationView]:
    """At most ``limit`` installations with a greater id than ``after_id``, by id."""
    query = (
        select(*_COLUMNS)
        .where(installations.c.dealer_id == dealer_id, installations.c.id > after_id)
        .order_by(installations.c.id)
        .limit(limit)
    )
    return [InstallationView(*row) for row in await connection.execute(query)]


async def starting(
    connection: AsyncConnection, dealer_id: int, *, device_id: str, vehicle_id: int, start_at: dt.datetime
) -> InstallationView | None:
    """The installation of this device in this vehicle that began at this moment."""
    query = select(*_COLUMNS).where(
        installations.c.dealer_id == dealer_id,
        installations.c.device_id == device_id,
        installations.c.vehicle_id == vehicle_id,
        installations.c.start_at == start_at,
    )
    row = (await connection.execute(query)).first()
    return None if row is None else InstallationView(*row)
