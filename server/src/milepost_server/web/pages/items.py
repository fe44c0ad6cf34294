"""An item of a vehicle: what its dates rest on, what was done about it, and the form to act on it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from milepost_server.api.actions import actions_of
from milepost_server.api.bodies import ItemActionBody, PathId
from milepost_server.api.errors import InvalidError
from milepost_server.api.items import act
from milepost_server.api.services import Handler, Parts, Services, Viewer
from milepost_server.derivation import results, times
from milepost_server.derivation.schedules import plan_of
from milepost_server.errors import NotFoundError
from milepost_server.people.sessions import Principal
from milepost_server.store import condition, service_records
from milepost_server.store.schema import ItemActionKind
from milepost_server.web.pages.owners import SaidText
from milepost_server.web.pages.past import AskedDay, day_or_none
from milepost_server.web.pages.vehicle import (
    FIELD_CHARS_MAX,
    checked_note,
    owner_id_on,
    vehicle_of,
    way_back,
    with_query,
)
from milepost_server.web.rendering import render
from milepost_server.web.views import evidence, items, life_cycle
from milepost_server.web.views.vehicle import vehicle_name

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.store.condition import DueRow

# The page has one field for a day; what it means follows from the action.
DAY_FIELDS = frozenset({"for_on", "until_on"})

router = APIRouter()


@router.get("/vehicles/{vehicle_id}/items/{item}")
async def item_page(
    *,
    request: Request,
    vehicle_id: PathId,
    item: str,
    who: Viewer,
    parts: Parts,
    as_of: AskedDay,
    said: SaidText = "",
) -> Response:
    """What an item's dates rest on, and what was done about it."""
    day = as_of or parts.today(who)
    return await _page(request, parts, who, vehicle_id=vehicle_id, item=item, day=day, said=said)


@router.post("/vehicles/{vehicle_id}/items/{item}")
async def act_on_item(
    *,
    request: Request,
    vehicle_id: PathId,
    item: str,
    who: Handler,
    parts: Parts,
    action: Annotated[str, Form(max_length=16)] = "",
    on: Annotated[str, Form(max_length=FIELD_CHARS_MAX)] = "",
    note: Annotated[str, Form(max_length=FIELD_CHARS_MAX)] = "",
    back: Annotated[str, Form(max_length=FIELD_CHARS_MAX)] = "",
) -> Response:
    """Act on an item, then go back to where the form was; a mistake is said beside the field."""
    try:
        body = _body(action, on, note)
        await act(parts, who, vehicle_id, item, body)
    except InvalidError as error:
        field = "on" if error.field in DAY_FIELDS else error.field
        here = life_cycle.handling_of(vehicle_id, item, "", way_back(back, ""))
        typed = replace(here, chosen=action, on=on, note=note, error=str(error), field=field or "")
        today = parts.today(who)
        return await _page(
            request, parts, who, vehicle_id=vehicle_id, item=item, day=today, handling=typed, status=422
        )
    told = urlencode({"said": body.action.value})
    return RedirectResponse(with_query(way_back(back, f"/vehicles/{vehicle_id}/items/{item}"), told), 303)


def _body(action: str, on: str, note: str) -> ItemActionBody:
    """What the form says.

    Raises:
        InvalidError: an action that does not exist, a day that is none, a note that cannot be kept.
    """
    if action not in tuple(ItemActionKind):
        raise InvalidError("Choose what becomes of it.", field="action")
    day = day_or_none(on)
    if on and day is None:
        raise InvalidError("This is no day; write it like 2027-03-14.", field="on")
    note = checked_note(note)
    kind = ItemActionKind(action)
    is_snooze = kind is ItemActionKind.SNOOZED
    takes_day = kind in (ItemActionKind.BOOKED, ItemActionKind.DONE)
    return ItemActionBody(
        action=kind, for_on=day if takes_day else None, until_on=day if is_snooze else None, note=note
    )


async def _page(
    request: Request,
    parts: Services,
    who: Principal,
    *,
    vehicle_id: int,
    item: str,
    day: dt.date,
    said: str = "",
    handling: life_cycle.Handling | None = None,
    status: int = 200,
) -> Response:
    today = parts.today(who)
    async with parts.store.read() as connection:
        vehicle = await vehicle_of(connection, who, vehicle_id)
        row = await _due(connection, who, vehicle_id, item, day)
        held_until = times.moment(times.AsOf.of(day, who.timezone).end_ms)
        plan = await plan_of(connection, who.dealer_id, vehicle, held_until)
        places = [(entry["stream"], entry["seq"]) for entry in row.evidence.get("readings", ())]
        readings = await condition.readings_at(connection, who.dealer_id, vehicle_id, places)
        ids = {entry["id"] for entry in row.evidence.get("service_records", ())}
        records = await service_records.some(connection, who.dealer_id, vehicle_id, ids)
        usage = await results.usage_of(connection, who.dealer_id, vehicle_id, day)
        done = await actions_of(connection, who, vehicle_id, day, item=item)
        owner_id = await owner_id_on(connection, who, vehicle_id, day)
    context = {
        "title": evidence.title(row),
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
        "sources": evidence.sources(items.item_of(item, plan), row),
        "readings": evidence.reading_views(row, readings, who.timezone),
        "records": evidence.record_views(row, records, plan.titles),
        "limits": evidence.limit_views(row, day),
        "positions": evidence.position_views(row),
        "stands": life_cycle.stands(row, done[0] if done else None, day),
        "done": evidence.action_views(done, who.timezone, day),
        "handling": replace(handling or life_cycle.handling_of(vehicle_id, item, "", ""), title=row.title),
        "choices": life_cycle.form_choices(),
        "said": life_cycle.said_words(said),
        "timezone": who.timezone,
    }
    return render(request, "evidence.html", context, status=status)


async def _due(
    connection: AsyncConnection, who: Principal, vehicle_id: int, item: str, day: dt.date
) -> DueRow:
    due = await condition.due_items(connection, who.dealer_id, vehicle_id, day)
    row = next((one for one in due if one.item == item), None)
    if row is None:
        raise NotFoundError("item", item)
    return row
