"""The work list: each owner once, with the item that needs attention first; in each state, what is measured
or on record comes before what is only counted from first registration or usual. Owners stand in the service
order of `signals.work_list`, in which faults that cannot wait go first and what is booked or put off rests.

Ranked in the database, so that a page of a large dealer's list costs no more than a page.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, or_, select

from milepost_server.store import owner_questions
from milepost_server.store.matching import matches
from milepost_server.store.readiness import newest_signals
from milepost_server.store.schema import (
    DueState,
    LifeCycle,
    RestsOn,
    owner_signals,
    owners,
    ownerships,
    service_due,
    vehicles,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select, Subquery
    from sqlalchemy.ext.asyncio import AsyncConnection

# The order in which states need attention; an owner without any derived item comes last.
STATE_ORDER = (DueState.OVERDUE, DueState.DUE, DueState.UPCOMING, DueState.OK, DueState.UNKNOWN)

SURE = (RestsOn.MEASURED, RestsOn.RECORD)


class Sort(enum.StrEnum):
    """What the list is ordered by; a ``-`` before the word turns it around."""

    URGENCY = "urgency"
    NAME = "name"
    CAR = "car"
    DUE = "due"


@dataclass(frozen=True, slots=True)
class WorkListQuery:
    """Which owners, in which order, seen on which day."""

    as_of: dt.date
    state: DueState | None = None
    item: str | None = None
    search: str = ""
    asks_for_owner: bool = False
    sort: Sort = Sort.URGENCY
    descending: bool = False


@dataclass(frozen=True, slots=True)
class WorkListRow:
    """One owner; what is not known of car or item is None."""

    owner_id: int
    name: str
    phone: str | None
    email: str | None
    vehicle_id: int | None
    make: str | None
    model: str | None
    model_year: int | None
    plate: str | None
    vin: str | None
    item: str | None
    title: str | None  # of the item
    state: DueState
    p10_on: dt.date | None
    p50_on: dt.date | None
    p90_on: dt.date | None
    p50_odometer_m: float | None
    basis: str | None
    rests_on: RestsOn | None
    limit_short: str | None
    life_cycle: LifeCycle
    life_cycle_since: dt.date | None
    life_cycle_until: dt.date | None


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One item of one owner's vehicle that needs attention."""

    owner_id: int
    vehicle_id: int
    item: str
    title: str
    state: DueState
    p10_on: dt.date | None
    p50_on: dt.date | None
    p90_on: dt.date | None
    rests_on: RestsOn


async def page(
    connection: AsyncConnection, dealer_id: int, query: WorkListQuery, *, offset: int, limit: int
) -> Sequence[WorkListRow]:
    """At most ``limit`` owners from ``offset`` on, in the order of ``query``."""
    top = _top_rows(dealer_id, query)
    ranked = _service_keys(dealer_id, query.as_of)
    statement = select(*_columns(top)).outerjoin(ranked, ranked.c.owner_id == top.c.id)
    if query.state is not None:
        statement = statement.where(top.c.state == query.state.value)
    ordered = _order(top, ranked, query)
    statement = statement.where(top.c.place == 1).order_by(*ordered).offset(offset).limit(limit)
    return [_row(row) for row in await connection.execute(statement)]


async def counts(connection: AsyncConnection, dealer_id: int, query: WorkListQuery) -> dict[DueState, int]:
    """How many owners there are by state, under the search and item of ``query``; all states are there."""
    top = _top_rows(dealer_id, query)
    statement = select(top.c.state, func.count()).where(top.c.place == 1).group_by(top.c.state)
    found = {DueState(row[0]): int(row[1]) for row in await connection.execute(statement)}
    return {state: found.get(state, 0) for state in STATE_ORDER}


async def next_after(connection: AsyncConnection, dealer_id: int, as_of: dt.date) -> WorkListRow | None:
    """The owner whose item is due next after ``as_of``, for a list that is empty."""
    query = WorkListQuery(as_of=as_of, sort=Sort.DUE)
    top = _top_rows(dealer_id, query)
    statement = (
        select(*_columns(top)).where(top.c.place == 1, top.c.p50_on > as_of).order_by(top.c.p50_on).limit(1)
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _row(row)


async def attention(
    connection: AsyncConnection, dealer_id: int, owner_ids: Sequence[int], as_of: dt.date
) -> Sequence[ItemRow]:
    """All items of these owners that are overdue, due or upcoming, the most urgent first."""
    latest = _latest(dealer_id, as_of)
    statement = (
        select(
            ownerships.c.owner_id,
            service_due.c.vehicle_id,
            service_due.c.item,
            service_due.c.title,
            service_due.c.state,
            service_due.c.p10_on,
            service_due.c.p50_on,
            service_due.c.p90_on,
            service_due.c.rests_on,
        )
        .join(latest, _is_latest(latest))
        .join(
            ownerships,
            and_(
                ownerships.c.dealer_id == service_due.c.dealer_id,
                ownerships.c.vehicle_id == service_due.c.vehicle_id,
                _current(as_of),
            ),
        )
        .where(
            service_due.c.dealer_id == dealer_id,
            ownerships.c.owner_id.in_(owner_ids),
            service_due.c.state.in_([state.value for state in STATE_ORDER[:3]]),
        )
        .order_by(_rank(), _is_guess(), service_due.c.p50_on, service_due.c.vehicle_id, service_due.c.item)
    )
    rows = await connection.execute(statement)
    return [ItemRow(*row[:4], DueState(row[4]), *row[5:8], RestsOn(row[8])) for row in rows]


def _columns(top: Subquery) -> list[ColumnElement[Any]]:
    return [column for column in top.c if column.name not in ("place", "rank", "guess")]


def _row(values: Sequence[Any]) -> WorkListRow:
    cells = list(values)
    cells[12] = DueState(cells[12])
    cells[18] = None if cells[18] is None else RestsOn(cells[18])
    cells[20] = LifeCycle(cells[20])
    return WorkListRow(*cells)


def _selected() -> list[ColumnElement[Any]]:
    """The columns of `WorkListRow`, and by what rows are ranked."""
    return [
        owners.c.id,
        owners.c.name,
        owners.c.phone,
        owners.c.email,
        ownerships.c.vehicle_id,
        vehicles.c.make,
        vehicles.c.model,
        vehicles.c.model_year,
        vehicles.c.plate,
        vehicles.c.vin,
        service_due.c.item,
        service_due.c.title,
        func.coalesce(service_due.c.state, DueState.UNKNOWN.value).label("state"),
        service_due.c.p10_on,
        service_due.c.p50_on,
        service_due.c.p90_on,
        service_due.c.p50_odometer_m,
        service_due.c.basis,
        service_due.c.rests_on,
        service_due.c.limit_short,
        func.coalesce(service_due.c.life_cycle, LifeCycle.NONE.value).label("life_cycle"),
        service_due.c.life_cycle_since,
        service_due.c.life_cycle_until,
        _rank().label("rank"),
        _is_guess().label("guess"),
        func.row_number()
        .over(
            partition_by=owners.c.id,
            order_by=(
                _rank(),
                _is_guess(),
                service_due.c.p50_on.is_(None),
                service_due.c.p50_on,
                ownerships.c.vehicle_id,
                service_due.c.item,
            ),
        )
        .label("place"),
    ]


def _top_rows(dealer_id: int, query: WorkListQuery) -> Subquery:
    latest = _latest(dealer_id, query.as_of)
    due_on = [
        service_due.c.dealer_id == vehicles.c.dealer_id,
        service_due.c.vehicle_id == vehicles.c.id,
        service_due.c.as_of == latest.c.as_of,
    ]
    if query.item is not None:
        due_on.append(service_due.c.item == query.item)
    statement: Select[Any] = (
        select(*_selected())
        .select_from(owners)
        .outerjoin(
            ownerships,
            and_(
                ownerships.c.dealer_id == owners.c.dealer_id,
                ownerships.c.owner_id == owners.c.id,
                _current(query.as_of),
            ),
        )
        .outerjoin(
            vehicles,
            and_(vehicles.c.dealer_id == ownerships.c.dealer_id, vehicles.c.id == ownerships.c.vehicle_id),
        )
        .outerjoin(latest, latest.c.vehicle_id == vehicles.c.id)
        .outerjoin(service_due, and_(*due_on))
        .where(owners.c.dealer_id == dealer_id)
    )
    if query.item is not None:
        statement = statement.where(service_due.c.item.is_not(None))
    if query.search:
        statement = statement.where(matches(query.search))
    if query.asks_for_owner:
        asked = owner_questions.asked(dealer_id, query.as_of).subquery()
        statement = statement.where(owners.c.id.in_(select(asked.c.owner_id)))
    return statement.subquery()


def _latest(dealer_id: int, as_of: dt.date) -> Subquery:
    return (
        select(service_due.c.vehicle_id, func.max(service_due.c.as_of).label("as_of"))
        .where(service_due.c.dealer_id == dealer_id, service_due.c.as_of <= as_of)
        .group_by(service_due.c.vehicle_id)
        .subquery()
    )


def _is_latest(latest: Subquery) -> ColumnElement[bool]:
    return and_(service_due.c.vehicle_id == latest.c.vehicle_id, service_due.c.as_of == latest.c.as_of)


def _current(as_of: dt.date) -> ColumnElement[bool]:
    return and_(
        ownerships.c.start_on <= as_of, or_(ownerships.c.end_on.is_(None), ownerships.c.end_on > as_of)
    )


def _rank() -> ColumnElement[int]:
    places = {state.value: place for place, state in enumerate(STATE_ORDER)}
    return case(places, value=service_due.c.state, else_=len(STATE_ORDER))


def _is_guess() -> ColumnElement[int]:
    """0 for what is measured or on record, 1 for what is not."""
    return case((service_due.c.rests_on.in_([word.value for word in SURE]), 0), else_=1)


def _service_keys(dealer_id: int, as_of: dt.date) -> Subquery:
    """The place (``service_key``) of each owner (``owner_id``) in the service order."""
    c = owner_signals.c
    newest = newest_signals(dealer_id, as_of)
    return (
        select(c.owner_id, c.service_key)
        .join(newest, and_(newest.c.owner_id == c.owner_id, newest.c.as_of == c.as_of))
        .where(c.dealer_id == dealer_id)
        .subquery()
    )


def _order(top: Subquery, ranked: Subquery, query: WorkListQuery) -> list[ColumnElement[Any]]:
    without_date = top.c.p50_on.is_(None)
    # The key knows of faults that cannot wait, and of items that may rest; it is of all items together.
    urgency = [] if query.item is not None else [ranked.c.service_key]
    keys: dict[Sort, list[ColumnElement[Any]]] = {
        Sort.URGENCY: [*urgency, top.c.rank, top.c.guess, top.c.p50_on],
        Sort.NAME: [func.lower(top.c.name)],
        Sort.CAR: [func.lower(top.c.make), func.lower(top.c.model), top.c.model_year],
        Sort.DUE: [top.c.p50_on],
    }
    ordered = [key.desc() if query.descending else key.asc() for key in keys[query.sort]]
    # What has no date, or no car, stands at the end whichever way the list is turned.
    last = {
        Sort.DUE: [without_date],
        Sort.CAR: [top.c.make.is_(None)],
        Sort.URGENCY: [ranked.c.service_key.is_(None)],
    }.get(query.sort, [])
    return [*last, *ordered, without_date, func.lower(top.c.name), top.c.id]
