"""Reads what a day left of each item to the next one, and what staff have done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import and_, func, select

from milepost_server.derivation import times
from milepost_server.derivation.carried import Carried, Left
from milepost_server.signals.items.life_cycle import Action, Actions
from milepost_server.signals.items.states import State
from milepost_server.store.schema import derived_days, item_actions, service_due

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.times import AsOf
    from milepost_server.signals.flat import Floats

MS_PER_S = 1_000
_COLUMNS = [
    service_due.c[name]
    for name in (
        "vehicle_id",
        "item",
        "state",
        "started_on",
        "listed_since_on",
        "due_since_on",
        "cleared_on",
    )
]


async def newest(
    connection: AsyncConnection, dealer_id: int, vehicle_ids: Collection[int], as_of: AsOf
) -> Carried:
    """What the newest derivation before the as-of date left of each of the vehicles.

    A list that was made later, of a day on which there was none, left nothing: nobody saw it.
    """
    c = service_due.c
    made = and_(derived_days.c.dealer_id == c.dealer_id, derived_days.c.as_of == c.as_of)
    found = (
        select(c.vehicle_id, func.max(c.as_of).label("as_of"))
        .join(derived_days, made)
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(vehicle_ids), c.as_of < as_of.date)
        .group_by(c.vehicle_id)
        .subquery()
    )
    same = and_(found.c.vehicle_id == c.vehicle_id, found.c.as_of == c.as_of)
    return await _carried(connection, select(*_COLUMNS).join(found, same).where(c.dealer_id == dealer_id))


async def left_on(
    connection: AsyncConnection, dealer_id: int, vehicle_ids: Collection[int], day: dt.date
) -> Carried:
    """What the derivation of that very day left of the vehicles."""
    c = service_due.c
    mine = (c.dealer_id == dealer_id, c.vehicle_id.in_(vehicle_ids), c.as_of == day)
    return await _carried(connection, select(*_COLUMNS).where(*mine))


async def _carried(connection: AsyncConnection, query: Select[Any]) -> Carried:
    return Carried(
        {
            (vehicle_id, item): Left(State[word.upper()], *map(_day, days))
            for vehicle_id, item, word, *days in await connection.execute(query)
        }
    )


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
        .where(as_of.knows(c.at))
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
