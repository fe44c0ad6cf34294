"""The work list: whom to call first, for service or for another car."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from milepost_server.api.answers import Items
from milepost_server.api.bodies import Day
from milepost_server.api.lists import PAGE_ITEMS, Limit
from milepost_server.api.services import Parts, Viewer
from milepost_server.people.roles import Action, check_may, may
from milepost_server.store import ranked_owners
from milepost_server.store.ranked_owners import Order, RankedOwner
from milepost_server.store.schema import DueState, Urgency

router = APIRouter(tags=["work list"])
OFFSET_MAX = 10_000_000
Offset = Annotated[int, Query(ge=0, le=OFFSET_MAX, description="The `next` of the page before.")]


class Window(NamedTuple):
    """Which part of the list."""

    offset: int
    limit: int


def window(after: Offset = 0, limit: Limit = PAGE_ITEMS) -> Window:
    """The part of the list that a request asks for."""
    return Window(after, limit)


class ServiceNeed(BaseModel):
    """What an owner is to be called for first; ``fault`` where one comes before every item."""

    vehicle_id: int | None
    item: str | None
    fault: str | None
    state: DueState
    urgency: Urgency | None


class Ready(BaseModel):
    """How ready an owner is to replace a car; null where none could be scored."""

    vehicle_id: int | None
    score: int | None
    p_90d: float | None
    p_180d: float | None


class WorkListEntry(BaseModel):
    """One owner; ``ready`` is null for who may not see it."""

    owner_id: int
    name: str
    as_of: dt.date
    vehicles: int
    service: ServiceNeed
    ready: Ready | None


@router.get("/work-list")
async def work_list(
    who: Viewer,
    parts: Parts,
    part: Annotated[Window, Depends(window)],
    order: Order = Order.SERVICE,
    as_of: Day | None = None,
) -> Items[WorkListEntry]:
    """All owners, whom to call first at the front, a page at a time."""
    if order is Order.SALES:
        check_may(who.role, Action.SEE_READINESS)
    async with parts.store.read() as connection:
        rows = await ranked_owners.page(
            connection, who.dealer_id, as_of or parts.today(who), order, **part._asdict()
        )
    sees = may(who.role, Action.SEE_READINESS)
    entries = [_entry(row, sees_readiness=sees) for row in rows]
    return Items(items=entries, next=sum(part) if len(rows) == part.limit else None)


def _entry(row: RankedOwner, *, sees_readiness: bool) -> WorkListEntry:
    signals = row.signals
    return WorkListEntry(
        owner_id=signals.owner_id,
        name=row.name,
        as_of=signals.as_of,
        vehicles=signals.vehicles,
        service=ServiceNeed(
            vehicle_id=signals.service_vehicle_id,
            item=signals.service_item,
            fault=signals.service_fault,
            state=signals.service_state,
            urgency=signals.service_urgency,
        ),
        ready=Ready(
            vehicle_id=signals.sales_vehicle_id,
            score=signals.score,
            p_90d=signals.p_90d,
            p_180d=signals.p_180d,
        )
        if sees_readiness
        else None,
    )
