"""How the dealer's data stands: what was taken in, what waits, who is due."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Query

from milepost_server.api.answers import Answer, Items
from milepost_server.api.bodies import Day
from milepost_server.api.lists import PAGE_ITEMS, Limit
from milepost_server.api.services import Parts, Viewer
from milepost_server.store import dealer_quarantine, intake_counts, work_list
from milepost_server.store.schema import DueState, RestsOn
from milepost_server.store.work_list import Sort, WorkListQuery

router = APIRouter(tags=["status"])

OFFSET_MAX = 1_000_000


class StatusAnswer(Answer):
    """Counts as of this moment."""

    as_of: dt.date
    owners: int
    vehicles: int
    devices: int
    streams: int
    batches: int
    samples_committed: int
    seqs_receipted: int
    seqs_above: int
    seqs_dropped: int
    quarantine: dict[str, int]
    owners_by_state: dict[str, int]
    owners_due: int


class WorkAnswer(Answer):
    """One owner, with the item that needs attention first."""

    owner_id: int
    name: str
    phone: str | None
    email: str | None
    vehicle_id: int | None
    vin: str | None
    item: str | None
    title: str | None
    state: DueState
    p10_on: dt.date | None
    p50_on: dt.date | None
    p90_on: dt.date | None
    p50_odometer_m: float | None
    basis: str | None
    rests_on: RestsOn | None
    limit_short: str | None


@router.get("/status")
async def status(who: Viewer, parts: Parts) -> StatusAnswer:
    """What was taken in, what waits in quarantine, and how many owners are due."""
    today = parts.today(who)
    async with parts.store.read() as connection:
        taken = await intake_counts.of_dealer(connection, who.dealer_id)
        held = await dealer_quarantine.counts(connection, who.dealer_id)
        owners = await work_list.counts(connection, who.dealer_id, WorkListQuery(as_of=today))
    return StatusAnswer(
        as_of=today,
        owners=taken.owners,
        vehicles=taken.vehicles,
        devices=taken.devices,
        streams=taken.streams,
        batches=taken.batches,
        samples_committed=taken.samples_committed,
        seqs_receipted=taken.seqs_receipted,
        seqs_above=taken.seqs_above,
        seqs_dropped=taken.seqs_dropped,
        quarantine={state.value: number for state, number in held.items()},
        owners_by_state={state.value: number for state, number in owners.items()},
        owners_due=owners[DueState.OVERDUE] + owners[DueState.DUE],
    )


@router.get("/work-list")
async def list_work(
    *,
    who: Viewer,
    parts: Parts,
    state: DueState | None = None,
    item: Annotated[str | None, Query(max_length=64)] = None,
    q: Annotated[str, Query(max_length=100)] = "",
    as_of: Day | None = None,
    after: Annotated[int, Query(ge=0, le=OFFSET_MAX, description="How many to pass over.")] = 0,
    limit: Limit = PAGE_ITEMS,
) -> Items[WorkAnswer]:
    """Whom to call, the most urgent first; of a past day with `as_of`."""
    query = WorkListQuery(as_of=parts.day(who, as_of), state=state, item=item, search=q, sort=Sort.URGENCY)
    async with parts.store.read() as connection:
        rows = await work_list.page(connection, who.dealer_id, query, offset=after, limit=limit)
    answers = [WorkAnswer.model_validate(row) for row in rows]
    return Items(items=answers, next=after + limit if len(rows) == limit else None)
