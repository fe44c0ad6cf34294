"""The evidence behind each number: an item's dates, and a car's odometer."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from milepost_server.api.bodies import PathId
from milepost_server.api.services import Parts, Viewer
from milepost_server.derivation import results
from milepost_server.derivation.times import AsOf
from milepost_server.errors import NotFoundError
from milepost_server.store import condition, ownerships, service_records, vehicles
from milepost_server.web.pages.owners import AsOfText, day_or_none
from milepost_server.web.rendering import render
from milepost_server.web.views import evidence, items
from milepost_server.web.views.vehicle import vehicle_name

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.people.sessions import Principal
    from milepost_server.store.vehicles import VehicleRow

ODOMETERS_SHOWN_MAX = 500

router = APIRouter()


@router.get("/vehicles/{vehicle_id}/items/{item}")
async def item_page(
    *, request: Request, vehicle_id: PathId, item: str, who: Viewer, parts: Parts, as_of: AsOfText = ""
) -> Response:
    """What an item's dates rest on."""
    today = parts.today(who)
    day = day_or_none(as_of) or today
    async with parts.store.read() as connection:
        vehicle = await _vehicle(connection, who, vehicle_id)
        due = await condition.due_items(connection, who.dealer_id, vehicle_id, day)
        row = next((one for one in due if one.item == item), None)
        if row is None:
            raise NotFoundError("item", item)
        places = [(entry["stream"], entry["seq"]) for entry in row.evidence.get("readings", ())]
        readings = await condition.readings_at(connection, who.dealer_id, vehicle_id, places)
        ids = {entry["id"] for entry in row.evidence.get("service_records", ())}
        records = await service_records.some(connection, who.dealer_id, vehicle_id, ids)
        usage = await results.usage_of(connection, who.dealer_id, vehicle_id, day)
        owner_id = await _owner_id(connection, who, vehicle_id, day)
    context = {
        "title": evidence.title(item),
        "car": vehicle_name(vehicle.make, vehicle.model, vehicle.model_year),
        "vehicle": vehicle,
        "owner_id": owner_id,
        "as_of": day,
        "is_past": day != today,
        "row": row,
        "badge": items.badge(row.state, row.rests_on, row.p50_on, day),
        "says": items.says(row, day, results.odometer_on(usage, day)),
        "why": items.why(row),
        "chances": evidence.chances(row, day),
        "sources": evidence.sources(items.item_of(item, vehicle.powertrain), row),
        "readings": evidence.reading_views(row, readings, who.timezone),
        "records": evidence.record_views(row, records),
        "timezone": who.timezone,
    }
    return render(request, "evidence.html", context)


@router.get("/vehicles/{vehicle_id}/odometer")
async def odometer_page(
    request: Request, vehicle_id: PathId, who: Viewer, parts: Parts, as_of: AsOfText = ""
) -> Response:
    """All odometer readings of a car, with what was made of each."""
    today = parts.today(who)
    day = day_or_none(as_of) or today
    async with parts.store.read() as connection:
        vehicle = await _vehicle(connection, who, vehicle_id)
        rows = await condition.odometers(
            connection,
            who.dealer_id,
            vehicle_id,
            AsOf.of(day, who.timezone).end_ms,
            limit=ODOMETERS_SHOWN_MAX,
        )
        owner_id = await _owner_id(connection, who, vehicle_id, day)
    views = evidence.odometer_views(rows, who.timezone)
    context = {
        "car": vehicle_name(vehicle.make, vehicle.model, vehicle.model_year),
        "owner_id": owner_id,
        "as_of": day,
        "is_past": day != today,
        "readings": views,
        "doubted": [view for view in views if not view.kept],
        "is_cut": len(views) == ODOMETERS_SHOWN_MAX,
    }
    return render(request, "odometer.html", context)


async def _vehicle(connection: AsyncConnection, who: Principal, vehicle_id: int) -> VehicleRow:
    found = await vehicles.one(connection, who.dealer_id, vehicle_id)
    if found is None:
        raise NotFoundError("vehicle", vehicle_id)
    return found


async def _owner_id(connection: AsyncConnection, who: Principal, vehicle_id: int, day: dt.date) -> int | None:
    """Whose car it is on that day, for the way back."""
    owned = await ownerships.of_vehicle(connection, who.dealer_id, vehicle_id)
    current = (one for one in owned if one.start_on <= day and (one.end_on is None or one.end_on > day))
    return next((one.owner_id for one in current), None)
