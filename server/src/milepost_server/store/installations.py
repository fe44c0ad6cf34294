"""Queries on installations: which device sat in which vehicle, from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, or_, select, update

from milepost_server.store.schema import installations

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class InstallationRow:
    """One device's time in one vehicle."""

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
) -> Sequence[InstallationRow]:
    """All installations in a vehicle, the latest first."""
    query = (
        select(*_COLUMNS)
        .where(installations.c.dealer_id == dealer_id, installations.c.vehicle_id == vehicle_id)
        .order_by(installations.c.start_at.desc(), installations.c.id.desc())
    )
    return [InstallationRow(*row) for row in await connection.execute(query)]


async def overlapping(
    connection: AsyncConnection,
    dealer_id: int,
    *,
    device_id: str,
    start_at: dt.datetime,
    end_at: dt.datetime | None,
) -> InstallationRow | None:
    """The first installation of the device that shares a moment with the time given."""
    query = (
        select(*_COLUMNS)
        .where(installations.c.dealer_id == dealer_id, installations.c.device_id == device_id)
        .where(or_(installations.c.end_at.is_(None), installations.c.end_at > start_at))
        .order_by(installations.c.start_at)
        .limit(1)
    )
    if end_at is not None:
        query = query.where(installations.c.start_at < end_at)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else InstallationRow(*row)


async def add(
    connection: AsyncConnection,
    dealer_id: int,
    *,
    device_id: str,
    vehicle_id: int,
    start_at: dt.datetime,
    end_at: dt.datetime | None,
) -> InstallationRow:
    """Add an installation.

    Raises:
        sqlalchemy.exc.IntegrityError: device and vehicle are not both the dealer's.
    """
    result = await connection.execute(
        insert(installations)
        .values(
            dealer_id=dealer_id, device_id=device_id, vehicle_id=vehicle_id, start_at=start_at, end_at=end_at
        )
        .returning(installations.c.id)
    )
    return InstallationRow(result.scalar_one(), device_id, vehicle_id, start_at, end_at)


async def end(connection: AsyncConnection, dealer_id: int, installation_id: int, end_at: dt.datetime) -> None:
    """Set the moment at which a device was taken out."""
    await connection.execute(
        update(installations)
        .where(installations.c.dealer_id == dealer_id, installations.c.id == installation_id)
        .values(end_at=end_at)
    )
