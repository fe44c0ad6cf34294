"""Queries on readiness: how ready owners are to replace their cars, by which model, and how they roll up."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select

from milepost_server.store.schema import DueState, Urgency, owner_signals, ownerships, readiness

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy import RowMapping, Subquery
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class ReadinessRow:
    """How ready an owner is to replace one vehicle; ``reasons`` as `store.schema.scores` describes them."""

    owner_id: int
    vehicle_id: int
    as_of: dt.date
    score: int
    p_90d: float
    p_180d: float
    reasons: list[dict[str, Any]]
    subscription: dict[str, Any]
    model_version: str
    is_prior: bool
    config_version: str
    derived_at: dt.datetime


@dataclass(frozen=True, slots=True)
class OwnerSignalsRow:
    """An owner's vehicles of one day taken together; JSON as `store.schema.scores` describes it."""

    owner_id: int
    as_of: dt.date
    vehicles: int
    service_vehicle_id: int | None
    service_item: str | None
    service_title: str | None
    service_fault: str | None
    service_state: DueState
    service_urgency: Urgency | None
    sales_vehicle_id: int | None
    score: int | None
    p_90d: float | None
    p_180d: float | None
    value: dict[str, Any]
    config_version: str
    derived_at: dt.datetime


_SIGNALS = tuple(owner_signals.c[field.name] for field in fields(OwnerSignalsRow))


def owner_signals_row(row: RowMapping) -> OwnerSignalsRow:
    """The row as a dataclass; ``row`` may hold more."""
    named = {field.name: row[field.name] for field in fields(OwnerSignalsRow)}
    urgency = named["service_urgency"]
    return OwnerSignalsRow(
        **{
            **named,
            "service_state": DueState(named["service_state"]),
            "service_urgency": None if urgency is None else Urgency(urgency),
        }
    )


async def of_owner(
    connection: AsyncConnection, dealer_id: int, owner_id: int, as_of: dt.date
) -> Sequence[ReadinessRow]:
    """Readiness to replace each vehicle that the owner has on that day, the readiest first.

    By each vehicle's newest derivation up to that day.
    """
    c, owned = readiness.c, ownerships.c
    newest = (
        select(c.vehicle_id, func.max(c.as_of).label("as_of"))
        .where(c.dealer_id == dealer_id, c.owner_id == owner_id, c.as_of <= as_of)
        .group_by(c.vehicle_id)
        .subquery()
    )
    query = (
        select(*(c[field.name] for field in fields(ReadinessRow)))
        .join(newest, and_(newest.c.vehicle_id == c.vehicle_id, newest.c.as_of == c.as_of))
        .join(
            ownerships,
            and_(
                owned.dealer_id == c.dealer_id,
                owned.owner_id == c.owner_id,
                owned.vehicle_id == c.vehicle_id,
                owned.start_on <= as_of,
                or_(owned.end_on.is_(None), owned.end_on > as_of),
            ),
        )
        .where(c.dealer_id == dealer_id, c.owner_id == owner_id)
        .order_by(c.score.desc(), c.vehicle_id)
    )
    return [ReadinessRow(*row) for row in await connection.execute(query)]


def newest_signals(dealer_id: int, as_of: dt.date) -> Subquery:
    """The day (``as_of``) of each owner's (``owner_id``) newest roll-up up to a day."""
    c = owner_signals.c
    return (
        select(c.owner_id, func.max(c.as_of).label("as_of"))
        .where(c.dealer_id == dealer_id, c.as_of <= as_of)
        .group_by(c.owner_id)
        .subquery()
    )


async def signals_of(
    connection: AsyncConnection, dealer_id: int, owner_id: int, as_of: dt.date
) -> OwnerSignalsRow | None:
    """The owner's roll-up by the newest derivation up to that day, None before the first one."""
    c = owner_signals.c
    query = (
        select(*_SIGNALS)
        .where(c.dealer_id == dealer_id, c.owner_id == owner_id, c.as_of <= as_of)
        .order_by(c.as_of.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else owner_signals_row(row)
