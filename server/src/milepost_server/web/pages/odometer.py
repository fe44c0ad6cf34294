"""A car's odometer: all readings with what was made of each, and the form to overrule that."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from milepost_server.api.bodies import OverruleBody, PathId
from milepost_server.api.errors import InvalidError
from milepost_server.api.items import overrule, place
from milepost_server.api.services import Handler, Parts, Services, Viewer
from milepost_server.derivation.times import AsOf
from milepost_server.people.sessions import Principal
from milepost_server.store import condition, overrules
from milepost_server.store.overrules import Place
from milepost_server.web.pages.owners import SaidText
from milepost_server.web.pages.past import AskedDay
from milepost_server.web.pages.vehicle import FIELD_CHARS_MAX, checked_note, owner_id_on, vehicle_of
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
    as_of: AskedDay,
    said: SaidText = "",
) -> Response:
    """All odometer readings of a car, with what was made of each."""
    day = as_of or parts.today(who)
    return await _page(request, parts, who, vehicle_id, day, said=said)


@router.post("/vehicles/{vehicle_id}/readings/{stream_id}/{seq}")
async def overrule_reading(
    *,
    request: Request,
    at: Annotated[Place, Depends(place)],
    who: Handler,
    parts: Parts,
    verdict: Annotated[Literal["keep", "reject", "leave"], Form()],
    note: Annotated[str, Form(max_length=FIELD_CHARS_MAX)] = "",
) -> Response:
    """Say that a reading counts, that it does not, or leave it to cleaning again."""
    try:
        body = None if verdict == "leave" else OverruleBody(keep=verdict == "keep", note=checked_note(note))
    except InvalidError as error:
        address = evidence.reading_address(at.stream_id, at.seq)
        mistake = evidence.Mistake(address, note, str(error))
        return await _page(request, parts, who, at.vehicle_id, parts.today(who), mistake=mistake)
    await overrule(parts, who, at, body)
    return RedirectResponse(f"/vehicles/{at.vehicle_id}/odometer?said={verdict}", status_code=303)


async def _page(
    request: Request,
    parts: Services,
    who: Principal,
    vehicle_id: int,
    day: dt.date,
    *,
    said: str = "",
    mistake: evidence.Mistake | None = None,
) -> Response:
    async with parts.store.read() as connection:
        vehicle = await vehicle_of(connection, who, vehicle_id)
        end_ms = AsOf.of(day, who.timezone).end_ms
        rows = await condition.odometers(
            connection, who.dealer_id, vehicle_id, end_ms, limit=ODOMETERS_SHOWN_MAX
        )
        ruled = await overrules.of_vehicle(connection, who.dealer_id, vehicle_id)
        owner_id = await owner_id_on(connection, who, vehicle_id, day)
    views = evidence.odometer_views(rows, ruled, who.timezone)
    context = {
        "car": vehicle_name(vehicle.make, vehicle.model, vehicle.model_year),
        "vehicle": vehicle,
        "owner_id": owner_id,
        "as_of": day,
        "is_past": day != parts.today(who),
        "readings": views,
        "doubted": [view for view in views if not view.kept or view.ruled],
        "disbelieved": sum(not view.kept for view in views),
        "is_cut": len(views) == ODOMETERS_SHOWN_MAX,
        "said": evidence.OVERRULE_SAID.get(said, ""),
        "mistake": mistake,
    }
    return render(request, "odometer.html", context, status=422 if mistake else 200)
