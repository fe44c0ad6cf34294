"""Queries on what was foretold of each car on a few days, kept until it is known what came of it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, func, insert, select

from milepost_server.store.schema import readiness_foretold

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

APART = dt.timedelta(days=92)
"""Between two days that a model is noted on: the three months that it foretells do not overlap."""


class Foretold(NamedTuple):
    """What was foretold of one car."""

    vehicle_id: int
    owner_id: int
    p_90d: float


class NotedDay(NamedTuple):
    """One day on which a model foretold something that was noted."""

    as_of: dt.date
    model_version: str


async def days(connection: AsyncConnection, dealer_id: int, until: dt.date) -> Sequence[NotedDay]:
    """The days up to ``until`` on which something was noted, with the model, the oldest first."""
    c = readiness_foretold.c
    query = (
        select(c.as_of, c.model_version)
        .where(c.dealer_id == dealer_id, c.as_of <= until)
        .distinct()
        .order_by(c.as_of, c.model_version)
    )
    return [NotedDay(*row) for row in await connection.execute(query)]


async def is_wanted(connection: AsyncConnection, dealer_id: int, version: str, as_of: dt.date) -> bool:
    """Whether what the model foretells on that day is to be noted: no other day of it lies too near."""
    c = readiness_foretold.c
    query = (
        select(func.count())
        .select_from(readiness_foretold)
        .where(c.dealer_id == dealer_id, c.model_version == version, c.as_of != as_of)
        .where(c.as_of > as_of - APART, c.as_of < as_of + APART)
    )
    return (await connection.execute(query)).scalar_one() == 0


async def page(
    connection: AsyncConnection, dealer_id: int, day: NotedDay, *, after_id: int, limit: int
) -> Sequence[Foretold]:
    """At most ``limit`` cars that the model scored on the day, with a greater id than ``after_id``, by id."""
    c = readiness_foretold.c
    query = (
        select(c.vehicle_id, c.owner_id, c.p_90d)
        .where(c.dealer_id == dealer_id, c.as_of == day.as_of, c.model_version == day.model_version)
        .where(c.vehicle_id > after_id)
        .order_by(c.vehicle_id)
        .limit(limit)
    )
    return [Foretold(*row) for row in await connection.execute(query)]


async def put(
    connection: AsyncConnection,
    dealer_id: int,
    day: NotedDay,
    *,
    vehicle_ids: Collection[int],
    foretold: Sequence[Foretold],
) -> None:
    """Put what is foretold of these vehicles in place of what was noted of them on the day."""
    c = readiness_foretold.c
    mine = (c.dealer_id == dealer_id, c.as_of == day.as_of, c.vehicle_id.in_(vehicle_ids))
    await connection.execute(delete(readiness_foretold).where(*mine))
    rows: list[dict[str, Any]] = [
        {"dealer_id": dealer_id, **day._asdict(), **one._asdict()} for one in foretold
    ]
    if rows:
        await connection.execute(insert(readiness_foretold), rows)


async def drop_old(connection: AsyncConnection, dealer_id: int, before: dt.date) -> None:
    """Drop what was noted on days before ``before``."""
    c = readiness_foretold.c
    await connection.execute(delete(readiness_foretold).where(c.dealer_id == dealer_id, c.as_of < before))
