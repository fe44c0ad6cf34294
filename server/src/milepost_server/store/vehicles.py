"""Queries on vehicles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from milepost_server.store.schema import Powertrain, vehicles

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class VehicleRow:
    """One car that a dealer knows; ``list_price`` when it was new, minor units of the dealer's currency."""

    id: int
    vin: str
    plate: str | None
    make: str
    model: str
    model_year: int
    powertrain: Powertrain
    first_registered_on: dt.date | None
    engine: str | None
    duty: str | None
    list_price: int | None


_COLUMNS = (
    vehicles.c.id,
    vehicles.c.vin,
    vehicles.c.plate,
    vehicles.c.make,
    vehicles.c.model,
    vehicles.c.model_year,
    vehicles.c.powertrain,
    vehicles.c.first_registered_on,
    vehicles.c.engine,
    vehicles.c.duty,
    vehicles.c.list_price,
)


def _vehicle(row: Sequence[Any]) -> VehicleRow:
    key, vin, plate, make, model, model_year, powertrain, *rest = row
    return VehicleRow(key, vin, plate, make, model, model_year, Powertrain(powertrain), *rest)


async def one(connection: AsyncConnection, dealer_id: int, vehicle_id: int) -> VehicleRow | None:
    """The dealer's vehicle with this id."""
    query = select(*_COLUMNS).where(vehicles.c.dealer_id == dealer_id, vehicles.c.id == vehicle_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _vehicle(row)


async def by_vin(connection: AsyncConnection, dealer_id: int, vin: str) -> VehicleRow | None:
    """The dealer's vehicle with this VIN."""
    query = select(*_COLUMNS).where(vehicles.c.dealer_id == dealer_id, vehicles.c.vin == vin)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _vehicle(row)


async def page(
    connection: AsyncConnection, dealer_id: int, *, after_id: int, limit: int
) -> Sequence[VehicleRow]:
    """At most ``limit`` vehicles with a greater id than ``after_id``, by id."""
    query = (
        select(*_COLUMNS)
        .where(vehicles.c.dealer_id == dealer_id, vehicles.c.id > after_id)
        .order_by(vehicles.c.id)
        .limit(limit)
    )
    return [_vehicle(row) for row in await connection.execute(query)]


async def put(
    connection: AsyncConnection,
    dealer_id: int,
    *,
    vin: str,
    plate: str | None,
    make: str,
    model: str,
    model_year: int,
    powertrain: Powertrain,
    first_registered_on: dt.date | None,
    now: dt.datetime,
    engine: str | None = None,
    duty: str | None = None,
    list_price: int | None = None,
) -> VehicleRow:
    """Add a vehicle, or bring the one with the same VIN up to date. ``vin`` has been checked."""
    known = await by_vin(connection, dealer_id, vin)
    values: dict[str, Any] = {
        "plate": plate,
        "make": make,
        "model": model,
        "model_year": model_year,
        "powertrain": powertrain.value,
        "first_registered_on": first_registered_on,
        "engine": engine,
        "duty": duty,
        "list_price": list_price,
    }
    if known is None:
        result = await connection.execute(
            insert(vehicles)
            .values(dealer_id=dealer_id, vin=vin, created_at=now, **values)
            .returning(vehicles.c.id)
        )
        key = result.scalar_one()
    else:
        key = known.id
        await connection.execute(
            update(vehicles).where(vehicles.c.dealer_id == dealer_id, vehicles.c.id == key).values(**values)
        )
    return VehicleRow(id=key, vin=vin, **{**values, "powertrain": powertrain})
