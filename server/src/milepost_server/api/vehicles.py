"""Vehicles, and what was done to them."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter

from milepost_server.api.answers import Items, ServiceRecordAnswer, VehicleAnswer
from milepost_server.api.bodies import OneOrMany, ServiceRecordBody, VehicleBody
from milepost_server.api.errors import InvalidError
from milepost_server.api.lists import PAGE_ITEMS, After, Limit, page_of, store_all
from milepost_server.api.services import Parts, Recorder, Registrar, Viewer
from milepost_server.derivation.schedules import plan_of
from milepost_server.errors import NotFoundError
from milepost_server.store import dirty, service_records, vehicles

router = APIRouter(tags=["vehicles"])
# Who sends may be where it is tomorrow already.
AHEAD_MAX = dt.timedelta(days=1)


@router.post("/vehicles")
async def put_vehicles(
    body: OneOrMany[VehicleBody], who: Registrar, parts: Parts
) -> VehicleAnswer | Items[VehicleAnswer]:
    """Add a vehicle or a list of them; the same VIN again brings that vehicle up to date."""

    async def put(vehicle: VehicleBody) -> VehicleAnswer:
        row = await vehicles.put(connection, who.dealer_id, now=parts.now(), **vehicle.model_dump())
        # Make, powertrain and first registration decide which limits a car has.
        await dirty.mark(connection, [(who.dealer_id, row.id)], now=parts.now())
        return VehicleAnswer.model_validate(row)

    async with parts.store.write() as connection:
        return await store_all(body, put, key=lambda vehicle: vehicle.vin)


@router.get("/vehicles")
async def list_vehicles(
    who: Viewer, parts: Parts, after: After = 0, limit: Limit = PAGE_ITEMS
) -> Items[VehicleAnswer]:
    """The dealer's vehicles by id, a page at a time."""
    async with parts.store.read() as connection:
        rows = await vehicles.page(connection, who.dealer_id, after_id=after, limit=limit)
    return page_of([VehicleAnswer.model_validate(row) for row in rows], limit, lambda row: row.id)


@router.post("/service-records")
async def add_service_records(
    body: OneOrMany[ServiceRecordBody], who: Recorder, parts: Parts
) -> ServiceRecordAnswer | Items[ServiceRecordAnswer]:
    """Record a service, late ones too; the same item of the same car on the same day is the same service."""

    async def add(record: ServiceRecordBody) -> ServiceRecordAnswer:
        vehicle = await vehicles.one(connection, who.dealer_id, record.vehicle_id)
        if vehicle is None:
            raise NotFoundError("vehicle", record.vehicle_id)
        plan = await plan_of(connection, who.dealer_id, vehicle)
        _check_item(record.item, [item.key for item in plan.items])
        if record.done_on > parts.today(who) + AHEAD_MAX:
            raise InvalidError("A service that is done was not done on a day to come.", field="done_on")
        now = parts.now()
        row, is_new = await service_records.add(connection, who.dealer_id, now=now, **record.model_dump())
        if is_new:
            await dirty.mark(connection, [(who.dealer_id, record.vehicle_id)], now=now)
        return ServiceRecordAnswer.model_validate(row)

    async with parts.store.write() as connection:
        return await store_all(body, add)


@router.get("/service-records")
async def list_service_records(
    who: Viewer, parts: Parts, after: After = 0, limit: Limit = PAGE_ITEMS
) -> Items[ServiceRecordAnswer]:
    """All service records by id, a page at a time."""
    async with parts.store.read() as connection:
        rows = await service_records.page(connection, who.dealer_id, after_id=after, limit=limit)
    return page_of([ServiceRecordAnswer.model_validate(row) for row in rows], limit, lambda row: row.id)


def _check_item(item: str, known: list[str]) -> None:
    if item not in known:
        raise InvalidError(f"This car has no item {item!r}. Its items are: {', '.join(known)}.", field="item")
