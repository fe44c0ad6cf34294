"""Queries on devices and on where they are installed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, or_, select, update

from milepost_server.errors import ConflictError, NotFoundError
from milepost_server.store.rows import inserted_id
from milepost_server.store.schema import devices, installations, vehicles

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One gateway."""

    id: str
    dealer_id: int
    registered_at: dt.datetime
    revoked_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class InstallationRow:
    """Where a device sat from ``start_at`` to ``end_at`` (exclusive; None while it sits there)."""

    device_id: str
    vehicle_id: int
    vin: str
    start_at: dt.datetime
    end_at: dt.datetime | None

    def covers(self, moment: dt.datetime) -> bool:
        """Whether the device sat in this vehicle at ``moment``."""
        return self.start_at <= moment and (self.end_at is None or moment < self.end_at)


_COLUMNS = (devices.c.id, devices.c.dealer_id, devices.c.registered_at, devices.c.revoked_at)


async def add(
    connection: AsyncConnection, dealer_id: int, device_id: str, *, credential: str, now: dt.datetime
) -> None:
    """Register a device; ``credential`` is the hash of its secret (see ``broker.credentials``).

    Raises:
        ConflictError: the id is taken, by whichever dealer: ids stand in topics, which all dealers share.
    """
    taken = select(devices.c.id).where(devices.c.id == device_id)
    taken = taken.execution_options(across_dealers="device ids stand in topics, which all dealers share")
    if (await connection.execute(taken)).first():
        raise ConflictError("device", device_id, "is registered already; choose another id")
    await connection.execute(
        insert(devices).values(
            id=device_id,
            dealer_id=dealer_id,
            credential=credential,
            registered_at=now,
            projection_stale=False,
        )
    )


async def one(connection: AsyncConnection, dealer_id: int, device_id: str) -> DeviceRow:
    """The dealer's device with this id.

    Raises:
        NotFoundError: the dealer has none.
    """
    query = select(*_COLUMNS).where(devices.c.dealer_id == dealer_id, devices.c.id == device_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFoundError("device", device_id)
    return DeviceRow(*row)


async def page(
    connection: AsyncConnection, dealer_id: int, *, after_id: str, limit: int
) -> Sequence[DeviceRow]:
    """At most ``limit`` devices with a greater id than ``after_id``, by id."""
    query = (
        select(*_COLUMNS)
        .where(devices.c.dealer_id == dealer_id, devices.c.id > after_id)
        .order_by(devices.c.id)
        .limit(limit)
    )
    return [DeviceRow(*row) for row in await connection.execute(query)]


async def known(connection: AsyncConnection, ids: Collection[str]) -> dict[str, DeviceRow]:
    """The devices among ``ids``, of whichever dealer: this is how ingest learns whose data it holds."""
    query = select(*_COLUMNS).where(devices.c.id.in_(ids))
    rows = await connection.execute(query.execution_options(across_dealers="the device says the dealer"))
    return {row.id: DeviceRow(*row) for row in rows}


async def credential(connection: AsyncConnection, device_id: str) -> str | None:
    """The stored credential of a device that may connect; None where it is unknown or revoked."""
    query = select(devices.c.credential).where(devices.c.id == device_id, devices.c.revoked_at.is_(None))
    query = query.execution_options(across_dealers="a device that connects says only its id")
    return (await connection.execute(query)).scalar_one_or_none()


async def credentials(connection: AsyncConnection) -> Sequence[tuple[str, str]]:
    """(id, credential) of all devices that may connect, by id."""
    query = select(devices.c.id, devices.c.credential).where(devices.c.revoked_at.is_(None))
    query = query.order_by(devices.c.id).execution_options(across_dealers="one broker serves all dealers")
    return [(row.id, row.credential) for row in await connection.execute(query)]


async def revoked_since(connection: AsyncConnection, moment: dt.datetime) -> Sequence[str]:
    """Ids of the devices that were revoked at ``moment`` or later."""
    query = select(devices.c.id).where(devices.c.revoked_at >= moment)
    query = query.execution_options(across_dealers="one broker serves all dealers")
    return list((await connection.execute(query)).scalars())


async def revoke(connection: AsyncConnection, dealer_id: int, device_id: str, *, now: dt.datetime) -> None:
    """Let the device in no more. What it has sent stays.

    Raises:
        NotFoundError: the dealer has no such device.
        ConflictError: it is revoked already.
    """
    device = await one(connection, dealer_id, device_id)
    if device.revoked_at is not None:
        raise ConflictError("device", device_id, f"was revoked on {device.revoked_at:%Y-%m-%d} already")
    await connection.execute(
        update(devices)
        .where(devices.c.dealer_id == dealer_id, devices.c.id == device_id)
        .values(revoked_at=now)
    )


async def install(
    connection: AsyncConnection, dealer_id: int, device_id: str, vehicle_id: int, *, start_at: dt.datetime
) -> int:
    """Note that the device sits in this vehicle from ``start_at`` on; return the installation's id.

    It ends the device's last installation, and that of another device in the same vehicle. Readings that the
    device sent since ``start_at`` are projected again by the server's next pass.

    Raises:
        NotFoundError: the dealer has no such device or vehicle.
        ConflictError: the device, or another one in this vehicle, was installed later than ``start_at``.
    """
    await one(connection, dealer_id, device_id)
    await _check_vehicle(connection, dealer_id, vehicle_id)
    mine = (installations.c.dealer_id == dealer_id) & or_(
        installations.c.device_id == device_id, installations.c.vehicle_id == vehicle_id
    )
    later = await connection.execute(
        select(installations.c.start_at).where(mine, installations.c.start_at > start_at).limit(1)
    )
    if (moment := later.scalar_one_or_none()) is not None:
        raise ConflictError(
            "device", device_id, f"has an installation of {moment.isoformat()}, which is later"
        )
    await connection.execute(
        update(installations)
        .where(mine, or_(installations.c.end_at.is_(None), installations.c.end_at > start_at))
        .values(end_at=start_at)
    )
    result = await connection.execute(
        insert(installations).values(
            dealer_id=dealer_id, device_id=device_id, vehicle_id=vehicle_id, start_at=start_at
        )
    )
    await mark_stale(connection, dealer_id, device_id)
    return inserted_id(result)


async def installations_of(
    connection: AsyncConnection, dealer_id: int, device_ids: Collection[str]
) -> Sequence[InstallationRow]:
    """All installations of these devices, by device and start."""
    query = (
        select(
            installations.c.device_id,
            installations.c.vehicle_id,
            vehicles.c.vin,
            installations.c.start_at,
            installations.c.end_at,
        )
        .join(
            vehicles,
            (vehicles.c.dealer_id == installations.c.dealer_id)
            & (vehicles.c.id == installations.c.vehicle_id),
        )
        .where(installations.c.dealer_id == dealer_id, installations.c.device_id.in_(device_ids))
        .order_by(installations.c.device_id, installations.c.start_at)
    )
    return [InstallationRow(*row) for row in await connection.execute(query)]


async def mark_stale(
    connection: AsyncConnection, dealer_id: int, device_id: str, *, stale: bool = True
) -> None:
    """Ask for the device's readings to be made from the archive again (or note that they were)."""
    await connection.execute(
        update(devices)
        .where(devices.c.dealer_id == dealer_id, devices.c.id == device_id)
        .values(projection_stale=stale)
    )


async def stale(connection: AsyncConnection, limit: int) -> Sequence[tuple[int, str]]:
    """At most ``limit`` (dealer, device) whose readings are to be made again."""
    query = select(devices.c.dealer_id, devices.c.id).where(devices.c.projection_stale).limit(limit)
    query = query.execution_options(across_dealers="one pass serves all dealers, one device at a time")
    return [(row.dealer_id, row.id) for row in await connection.execute(query)]


async def _check_vehicle(connection: AsyncConnection, dealer_id: int, vehicle_id: int) -> None:
    query = select(vehicles.c.id).where(vehicles.c.dealer_id == dealer_id, vehicles.c.id == vehicle_id)
    if (await connection.execute(query)).first() is None:
        raise NotFoundError("vehicle", vehicle_id)
