"""What staff do about items of a vehicle, and about readings that cleaning has judged wrongly."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Path

from milepost_server.api.actions import actions_of
from milepost_server.api.answers import Answer, Items
from milepost_server.api.bodies import SEQ_MAX, Day, ItemActionBody, OverruleBody, PathId
from milepost_server.api.errors import InvalidError
from milepost_server.api.services import Handler, Parts, Services, Viewer
from milepost_server.derivation.schedules import plan_of
from milepost_server.derivation.signal_paths import ODOMETER
from milepost_server.errors import NotFoundError
from milepost_server.people.sessions import Principal
from milepost_server.signals.items.life_cycle import LifeCycleRules
from milepost_server.store import dirty, item_actions, overrules, vehicles
from milepost_server.store.overrules import Place
from milepost_server.store.schema import ItemActionKind

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.store.vehicles import VehicleRow

router = APIRouter(tags=["items"])
# As far ahead as a snooze is heeded; a later day is a slip of the keyboard.
AHEAD_MAX = dt.timedelta(days=LifeCycleRules().snooze_d_max)
Key = Annotated[str, Path(min_length=1, max_length=64)]
PathSeq = Annotated[int, Path(ge=1, le=SEQ_MAX)]


def place(vehicle_id: PathId, stream_id: PathId, seq: PathSeq) -> Place:
    """The place that the path of a request names."""
    return Place(vehicle_id, stream_id, seq)


class ItemActionAnswer(Answer):
    """What somebody did about an item, and when."""

    id: int
    vehicle_id: int
    item: str
    action: ItemActionKind
    at: dt.datetime
    staff_name: str
    for_on: dt.date | None
    until_on: dt.date | None
    note: str


class OverruleAnswer(Answer):
    """What somebody said of one reading; it holds for all days."""

    stream_id: int
    seq: int
    keep: bool
    note: str
    staff_name: str
    at: dt.datetime


@router.get("/vehicles/{vehicle_id}/actions")
async def list_actions(
    vehicle_id: PathId, who: Viewer, parts: Parts, as_of: Day | None = None
) -> Items[ItemActionAnswer]:
    """What was done about the vehicle's items up to the end of a day, the latest first.

    Where the vehicle has changed hands, that is since its owner of that day has it.
    """
    async with parts.store.read() as connection:
        await _vehicle(connection, who.dealer_id, vehicle_id)
        rows = await actions_of(connection, who, vehicle_id, parts.day(who, as_of))
    return Items(items=[ItemActionAnswer.model_validate(row) for row in rows])


@router.post("/vehicles/{vehicle_id}/items/{item}/actions", status_code=201)
async def act_on_item(
    vehicle_id: PathId, item: Key, body: ItemActionBody, who: Handler, parts: Parts
) -> ItemActionAnswer:
    """Acknowledge, book, close, snooze or reopen an item."""
    return ItemActionAnswer.model_validate(await act(parts, who, vehicle_id, item, body))


async def act(
    parts: Services, who: Principal, vehicle_id: int, item: str, body: ItemActionBody
) -> item_actions.ItemActionRow:
    """Append an action to those on an item of one of the dealer's vehicles; its state follows in seconds.

    Raises:
        NotFoundError: the dealer has no such vehicle, or the vehicle no such item.
        InvalidError: a day is missing, or cannot be.
    """
    now = parts.now()
    _check_days(body, parts.today(who))
    async with parts.store.write() as connection:
        vehicle = await _vehicle(connection, who.dealer_id, vehicle_id)
        plan = await plan_of(connection, who.dealer_id, vehicle)
        if item not in {each.key for each in plan.items}:
            raise NotFoundError("item", item)
        key = await item_actions.add(
            connection,
            who.dealer_id,
            vehicle_id=vehicle_id,
            item=item,
            staff_id=who.staff_id,
            now=now,
            **body.model_dump(),
        )
        await dirty.mark(connection, [(who.dealer_id, vehicle_id)], now=now)
    return item_actions.ItemActionRow(
        id=key,
        vehicle_id=vehicle_id,
        item=item,
        at=now,
        staff_id=who.staff_id,
        staff_name=who.name,
        **body.model_dump(),
    )


@router.get("/vehicles/{vehicle_id}/overrules")
async def list_overrules(vehicle_id: PathId, who: Viewer, parts: Parts) -> Items[OverruleAnswer]:
    """Readings of the vehicle's odometer on which a person overruled cleaning, the latest first."""
    async with parts.store.read() as connection:
        await _vehicle(connection, who.dealer_id, vehicle_id)
        rows = await overrules.of_vehicle(connection, who.dealer_id, vehicle_id)
    return Items(items=[OverruleAnswer.model_validate(row) for row in rows])


@router.put("/vehicles/{vehicle_id}/readings/{stream_id}/{seq}/overrule", status_code=204)
async def overrule_reading(
    at: Annotated[Place, Depends(place)], body: OverruleBody, who: Handler, parts: Parts
) -> None:
    """Say whether a reading of the odometer counts; what follows from it is derived anew in seconds."""
    await overrule(parts, who, at, body)


@router.delete("/vehicles/{vehicle_id}/readings/{stream_id}/{seq}/overrule", status_code=204)
async def withdraw_overrule(at: Annotated[Place, Depends(place)], who: Handler, parts: Parts) -> None:
    """Leave the reading to cleaning again."""
    await overrule(parts, who, at, None)


async def overrule(parts: Services, who: Principal, at: Place, body: OverruleBody | None) -> None:
    """Overrule cleaning on one reading of the odometer, or (None) take that back.

    Raises:
        NotFoundError: the dealer has no such vehicle, or the vehicle no such reading.
    """
    now = parts.now()
    async with parts.store.write() as connection:
        await _vehicle(connection, who.dealer_id, at.vehicle_id)
        if not await overrules.has_reading(connection, who.dealer_id, at, signal=ODOMETER):
            raise NotFoundError("reading of the odometer", f"{at.stream_id}/{at.seq}")
        said = {"keep": None, "note": ""} if body is None else body.model_dump()
        await overrules.put(connection, who.dealer_id, at, staff_id=who.staff_id, now=now, **said)
        await dirty.mark(connection, [(who.dealer_id, at.vehicle_id)], now=now)


def _check_days(body: ItemActionBody, today: dt.date) -> None:
    if body.action is ItemActionKind.BOOKED:
        if body.for_on is None:
            raise InvalidError("Say for which day it is booked.", field="for_on")
        if body.for_on < today:
            raise InvalidError("That day is over; an appointment is today or later.", field="for_on")
        if body.for_on > today + AHEAD_MAX:
            raise InvalidError("That is more than a year ahead; an appointment is sooner.", field="for_on")
    if body.action is ItemActionKind.SNOOZED:
        if body.until_on is None or body.until_on <= today:
            raise InvalidError(
                "Say until which day it may rest; that day is still to come.", field="until_on"
            )
        if body.until_on > today + AHEAD_MAX:
            raise InvalidError("It may rest for a year at most; say an earlier day.", field="until_on")
    if body.action is ItemActionKind.DONE and body.for_on is not None and body.for_on > today:
        raise InvalidError("Work that is done was not done on a day to come.", field="for_on")


async def _vehicle(connection: AsyncConnection, dealer_id: int, vehicle_id: int) -> VehicleRow:
    found = await vehicles.one(connection, dealer_id, vehicle_id)
    if found is None:
        raise NotFoundError("vehicle", vehicle_id)
    return found
