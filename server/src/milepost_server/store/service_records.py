"""Queries on service records: what was done to a vehicle, when, at how many kilometres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from milepost_server.store.schema import service_records

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


FROM_DEVICE = "device"
"""The source of records that somebody entered at the car."""


@dataclass(frozen=True, slots=True)
class ServiceRecordRow:
    """One item of one vehicle, renewed on one day."""

    id: int
    vehicle_id: int
    item: str
    done_on: dt.date
    odometer_m: int | None
    source: str


_COLUMNS = (
    service_records.c.id,
    service_records.c.vehicle_id,
    service_records.c.item,
    service_records.c.done_on,
    service_records.c.odometer_m,
    service_records.c.source,
)


async def page(
    connection: AsyncConnection, dealer_id: int, *, after_id: int, limit: int
) -> Sequence[ServiceRecordRow]:
    """At most ``limit`` records with a greater id than ``after_id``, by id."""
    query = (
        select(*_COLUMNS)
        .where(service_records.c.dealer_id == dealer_id, service_records.c.id > after_id)
        .order_by(service_records.c.id)
        .limit(limit)
    )
    return [ServiceRecordRow(*row) for row in await connection.execute(query)]


async def of_vehicle(
    connection: AsyncConnection, dealer_id: int, vehicle_id: int, *, until: dt.date, limit: int
) -> Sequence[ServiceRecordRow]:
    """The vehicle's records up to a day, the latest first."""
    query = (
        select(*_COLUMNS)
        .where(service_records.c.dealer_id == dealer_id, service_records.c.vehicle_id == vehicle_id)
        .where(service_records.c.done_on <= until)
        .order_by(service_records.c.done_on.desc(), service_records.c.id.desc())
        .limit(limit)
    )
    return [ServiceRecordRow(*row) for row in await connection.execute(query)]


async def some(
    connection: AsyncConnection, dealer_id: int, vehicle_id: int, ids: Collection[int]
) -> Sequence[ServiceRecordRow]:
    """Those of the vehicle's records that have one of these ids, the oldest first."""
    query = (
        select(*_COLUMNS)
        .where(service_records.c.dealer_id == dealer_id, service_records.c.vehicle_id == vehicle_id)
        .where(service_records.c.id.in_(ids))
        .order_by(service_records.c.done_on, service_records.c.id)
    )
    return [ServiceRecordRow(*row) for row in await connection.execute(query)]


async def add(
    connection: AsyncConnection,
    dealer_id: int,
    *,
    vehicle_id: int,
    item: str,
    done_on: dt.date,
    odometer_m: int | None,
    source: str,
    now: dt.datetime,
) -> tuple[ServiceRecordRow, bool]:
    """Add a record, and say whether it is new: the same item on the same day is the same service.

    Raises:
        sqlalchemy.exc.IntegrityError: the vehicle is not the dealer's.
    """
    query = select(*_COLUMNS).where(
        service_records.c.dealer_id == dealer_id,
        service_records.c.vehicle_id == vehicle_id,
        service_records.c.item == item,
        service_records.c.done_on == done_on,
    )
    known = (await connection.execute(query)).first()
    if known is not None:
        return ServiceRecordRow(*known), False
    values = {
        "vehicle_id": vehicle_id,
        "item": item,
        "done_on": done_on,
        "odometer_m": odometer_m,
        "source": source,
    }
    result = await connection.execute(
        insert(service_records)
        .values(dealer_id=dealer_id, created_at=now, **values)
        .returning(service_records.c.id)
    )
    key = result.scalar_one()
    return ServiceRecordRow(key, vehicle_id, item, done_on, odometer_m, source), True


async def forget_device_record(
    connection: AsyncConnection, dealer_id: int, *, vehicle_id: int, item: str, done_on: dt.date
) -> None:
    """Delete a record that an entry at the car made, to be made anew; those of other sources stay."""
    mine = (service_records.c.dealer_id == dealer_id) & (service_records.c.vehicle_id == vehicle_id)
    same = (service_records.c.item == item) & (service_records.c.done_on == done_on)
    await connection.execute(
        delete(service_records).where(mine, same, service_records.c.source == FROM_DEVICE)
    )
