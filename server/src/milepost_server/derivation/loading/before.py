"""Reads what the day before left of each item, and what staff have done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import and_, func, select

from milepost_server.derivation import times
from milepost_server.derivation.fleet import Before
from milepost_server.signals.fleet.inputs import Previous
from milepost_server.signals.items.life_cycle import Action, Actions, Listing
from milepost_server.signals.items.states import State
from milepost_server.store.schema import item_actions, service_due

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.times import AsOf
    from milepost_server.signals.flat import Floats

MS_PER_S = 1_000


async def before(
    connection: AsyncConnection, dealer_id: int, place: dict[int, int], as_of: AsOf, keys: tuple[str, ...]
) -> Before:
    """What the newest derivation before the as-of date left of the vehicles in ``place`` (place by id)."""
    code = {key: index for index, key in enumerate(keys)}
    shape = (len(place), len(keys))
    state = np.full(shape, int(State.UNKNOWN), dtype=np.int64)
    start_d, since_d, due_since_d, cleared_d = (np.full(shape, np.nan) for _ in range(4))
    c = service_due.c
    newest = (
        select(c.vehicle_id, func.max(c.as_of).label("as_of"))
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(place), c.as_of < as_of.date)
        .group_by(c.vehicle_id)
        .subquery()
    )
    query = (
        select(c.vehicle_id, c.item, c.state, c.started_on, c.listed_since_on, c.due_since_on, c.cleared_on)
        .join(newest, and_(newest.c.vehicle_id == c.vehicle_id, newest.c.as_of == c.as_of))
        .where(c.dealer_id == dealer_id)
    )
    for vehicle_id, item, word, *days in await connection.execute(query):
        if item in code:
            cell = place[vehicle_id], code[item]
            state[cell] = State[word.upper()]
            start_d[cell], since_d[cell], due_since_d[cell], cleared_d[cell] = map(_day, days)
    listing = Listing(since_d.ravel(), due_since_d.ravel(), cleared_d.ravel())
    return Before(Previous(state, start_d), listing)


async def actions(
    connection: AsyncConnection,
    dealer_id: int,
    place: dict[int, int],
    as_of: AsOf,
    keys: tuple[str, ...],
    *,
    since_d: Floats,
) -> Actions:
    """Actions on items of the vehicles (V) in ``place`` up to the end of the as-of date.

    What was agreed with a former owner is over: actions count from ``since_d`` (V) on, when the present owner
    got the car; all of them where that is NaN.
    """
    code = {key: index for index, key in enumerate(keys)}
    c = item_actions.c
    query = (
        select(c.vehicle_id, c.item, c.action, c.at, c.for_on, c.until_on)
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(place), c.at < times.moment(as_of.end_ms))
        .order_by(c.at, c.id)
    )
    rows = [
        row
        for row in await connection.execute(query)
        if row.item in code and not times.day_of(row.at, as_of) < since_d[place[row.vehicle_id]]
    ]
    moments = np.array([round(row.at.timestamp() * MS_PER_S) for row in rows], dtype=np.int64)
    return Actions(
        item=np.array([place[row.vehicle_id] * len(keys) + code[row.item] for row in rows], dtype=np.int64),
        action=np.array([Action[row.action.upper()] for row in rows], dtype=np.int64),
        time_d=as_of.days(moments),
        for_d=np.array([_day(row.until_on or row.for_on) for row in rows], dtype=np.float64),
    )


def _day(on: dt.date | None) -> float:
    return np.nan if on is None else times.start_d(on)
