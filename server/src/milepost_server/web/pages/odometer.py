"""A car's odometer: all readings with what was made of each, and the form to overrule that."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from milepost_server.api.bodies import NOTE_CHARS_MAX, OverruleBody, PathId
from milepost_server.api.items import overrule, place
from milepost_server.api.services import Handler, Parts, Viewer
from milepost_server.derivation.times import AsOf
from milepost_server.store import condition, overrules
from milepost_server.store.overrules import Place
from milepost_server.web.pages.owners import AsOfText, SaidText, day_or_none
from milepost_server.web.pages.vehicle import owner_id_on, vehicle_of
from milepost_server.web.rendering import render
from milepost_server.web.views import evidence
from milepost_server.web.views.vehicle import vehicle_name

ODOMETERS_SHOWN_MAX = 500

router = APIRouter()


@router.get("/vehicles/{vehicle_id}/odometer")
async def odometer_page(
    *,
    request: Request,
    vehicle_id: PathId,
    who: Viewer,
    parts: Parts,
    as_of: AsOfText = "",
    said: SaidText = "",
) -> Response:
    """All odometer readings of a car, with what was made of each."""
    today = parts.today(who)
    day = day_or_none(as_of) or today
    async with parts.store.read() as connection:
        vehicle = await vehicle_of(connection, who, vehicle_id)
        rows = await condition.odometers(
            connection,
            who.dealer_id,
            vehicle_id,
            AsOf.of(day, who.timezone).end_ms,
            limit=ODOMETERS_SHOWN_MAX,
        )
        ruled = await overrules.of_vehicle(connection, who.dealer_id, vehicle_id)
        owner_id = await owner_id_on(connection, who, vehicle_id, day)
    views = evidence.odometer_views(rows, ruled, who.timezone)
    context = {
        "car": vehicle_name(vehicle.make, vehicle.model, vehicle.model_year),
        "vehicle": vehicle,
        "owner_id": owner_id,
        "as_of": day,
        "is_past": day != today,
        "readings": views,
        "doubted": [view for view in views if not view.kept or view.ruled],
        "is_cut": len(views) == ODOMETERS_SHOWN_MAX,
        "said": evidence.OVERRULE_SAID.get(said, ""),
        "note_chars_max": NOTE_CHARS_MAX,
    }
    return render(request, "odometer.html", context)


@router.post("/vehicles/{vehicle_id}/readings/{stream_id}/{seq}")
async def overrule_reading(
    at: Annotated[Place, Depends(place)],
    who: Handler,
    parts: Parts,
    verdict: Annotated[Literal["keep", "reject", "leave"], Form()],
    note: Annotated[str, Form(max_length=NOTE_CHARS_MAX)] = "",
) -> Response:
    """Say that a reading counts, that it does not, or leave it to cleaning again."""
    body = None if verdict == "leave" else OverruleBody(keep=verdict == "keep", note=note)
    await overrule(parts, who, at, body)
    return RedirectResponse(f"/vehicles/{at.vehicle_id}/odometer?said={verdict}", status_code=303)
