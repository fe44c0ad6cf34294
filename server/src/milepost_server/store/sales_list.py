"""The sales list: each owner who has a car that could be scored, the readiest first."""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select

from milepost_server.store.matching import matches
from milepost_server.store.readiness import newest_signals
from milepost_server.store.schema import owner_signals, owners, readiness, vehicles

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection


class SalesSort(enum.StrEnum):
    """What the list is ordered by; a ``-`` before the word turns it around."""

    READY = "ready"
    NAME = "name"
    CAR = "car"


@dataclass(frozen=True, slots=True)
class SalesQuery:
    """Which owners, in which order, seen on which day."""

    as_of: dt.date
    search: str = ""
    sort: SalesSort = SalesSort.READY
    descending: bool = False


@dataclass(frozen=True, slots=True)
class SalesRow:
    """One owner with the car that is likeliest to be replaced; ``reasons`` as `store.schema.scores` says.

    The odds are those of any of the owner's ``vehicles``.
    """

    owner_id: int
    name: str
    phone: str | None
    email: str | None
    vehicle_id: int
    make: str
    model: str
    model_year: int
    plate: str | None
    score: int
    vehicles: int
    p_90d: float
    p_180d: float
    reasons: list[dict[str, Any]]
    is_prior: bool


async def page(
    connection: AsyncConnection, dealer_id: int, query: SalesQuery, *, offset: int, limit: int
) -> Sequence[SalesRow]:
    """At most ``limit`` owners from ``offset`` on, in the order of ``query``."""
    statement = _rows(dealer_id, query).order_by(*_order(query)).offset(offset).limit(limit)
    return [SalesRow(*row) for row in await connection.execute(statement)]


async def count(connection: AsyncConnection, dealer_id: int, query: SalesQuery) -> int:
    """How many owners the list has under the search of ``query``."""
    statement = select(func.count()).select_from(_rows(dealer_id, query).subquery())
    return int((await connection.execute(statement)).scalar_one())


def _rows(dealer_id: int, query: SalesQuery) -> Select[Any]:
    signals = owner_signals.c
    newest = newest_signals(dealer_id, query.as_of)
    # The score is that of the roll-up's own day: both were derived together.
    scored = and_(
        readiness.c.dealer_id == signals.dealer_id,
        readiness.c.owner_id == signals.owner_id,
        readiness.c.vehicle_id == signals.sales_vehicle_id,
        readiness.c.as_of == signals.as_of,
    )
    named = {
        "owner_id": owners.c.id,
        "name": owners.c.name,
        "phone": owners.c.phone,
        "email": owners.c.email,
        "vehicle_id": vehicles.c.id,
        "make": vehicles.c.make,
        "model": vehicles.c.model,
        "model_year": vehicles.c.model_year,
        "plate": vehicles.c.plate,
        "score": readiness.c.score,
        "vehicles": signals.vehicles,
        "p_90d": signals.p_90d,
        "p_180d": signals.p_180d,
        "reasons": readiness.c.reasons,
        "is_prior": readiness.c.is_prior,
    }
    statement = (
        select(*(named[field.name] for field in fields(SalesRow)))
        .select_from(owner_signals)
        .join(newest, and_(newest.c.owner_id == signals.owner_id, newest.c.as_of == signals.as_of))
        .join(owners, and_(owners.c.dealer_id == signals.dealer_id, owners.c.id == signals.owner_id))
        .join(
            vehicles,
            and_(vehicles.c.dealer_id == signals.dealer_id, vehicles.c.id == signals.sales_vehicle_id),
        )
        .join(readiness, scored)
        .where(signals.dealer_id == dealer_id)
    )
    return statement.where(matches(query.search)) if query.search else statement


def _order(query: SalesQuery) -> list[ColumnElement[Any]]:
    keys: dict[SalesSort, list[ColumnElement[Any]]] = {
        SalesSort.READY: [owner_signals.c.sales_key],
        SalesSort.NAME: [func.lower(owners.c.name)],
        SalesSort.CAR: [func.lower(vehicles.c.make), func.lower(vehicles.c.model), vehicles.c.model_year],
    }
    ordered = [key.desc() if query.descending else key.asc() for key in keys[query.sort]]
    return [*ordered, owner_signals.c.sales_key, func.lower(owners.c.name), owners.c.id]
