"""Queries on cars that somebody else may drive now: their use has changed since their owner was last known.

A question is asked of the owner of the day, and not where the car came to that owner, or was confirmed to be
that owner's still, after the change may have begun.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select

from milepost_server.store.schema import ownerships, vehicle_usage

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class OwnerQuestion:
    """Whether a car still is its owner's, and why that is asked; rates are metres a day.

    The change most likely came between ``changed_from_on`` and ``changed_to_on``; ``change_reason`` is a word
    of `signals.usage.regimes.Change`.
    """

    ownership_id: int
    owner_id: int
    vehicle_id: int
    changed_on: dt.date
    changed_from_on: dt.date
    changed_to_on: dt.date
    before_m_per_d: float
    after_m_per_d: float
    change_reason: str
    as_of: dt.date


def asked(dealer_id: int, as_of: dt.date) -> Select[Any]:
    """The questions of a day, with the columns of `OwnerQuestion`, by each vehicle's newest derivation."""
    u, o = vehicle_usage.c, ownerships.c
    newest = (
        select(u.vehicle_id, func.max(u.as_of).label("as_of"))
        .where(u.dealer_id == dealer_id, u.as_of <= as_of)
        .group_by(u.vehicle_id)
        .subquery()
    )
    return (
        select(
            o.id.label("ownership_id"),
            o.owner_id,
            o.vehicle_id,
            u.usage_changed_on,
            u.usage_changed_from_on,
            u.usage_changed_to_on,
            u.usage_before_m_per_d,
            u.usage_after_m_per_d,
            u.usage_change_reason,
            u.as_of,
        )
        .select_from(vehicle_usage)
        .join(newest, and_(newest.c.vehicle_id == u.vehicle_id, newest.c.as_of == u.as_of))
        .join(ownerships, and_(o.dealer_id == u.dealer_id, o.vehicle_id == u.vehicle_id))
        .where(u.dealer_id == dealer_id, u.usage_asks_for_owner.is_(True))
        .where(o.start_on <= as_of, or_(o.end_on.is_(None), o.end_on > as_of))
        .where(o.start_on < u.usage_changed_from_on)
        .where(
            or_(o.confirmed_on.is_(None), o.confirmed_on < u.usage_changed_from_on, o.confirmed_on > as_of)
        )
    )


async def page(
    connection: AsyncConnection, dealer_id: int, as_of: dt.date, *, after_id: int, limit: int
) -> Sequence[OwnerQuestion]:
    """At most ``limit`` questions of a day of ownerships with a greater id than ``after_id``, by id."""
    c = ownerships.c
    query = asked(dealer_id, as_of).where(c.id > after_id).order_by(c.id).limit(limit)
    return [OwnerQuestion(*row) for row in await connection.execute(query)]


async def of_owners(
    connection: AsyncConnection, dealer_id: int, owner_ids: Collection[int], as_of: dt.date
) -> Sequence[OwnerQuestion]:
    """The questions of a day about these owners, by vehicle."""
    c = ownerships.c
    query = asked(dealer_id, as_of).where(c.owner_id.in_(owner_ids)).order_by(c.vehicle_id)
    return [OwnerQuestion(*row) for row in await connection.execute(query)]


async def of_vehicle(
    connection: AsyncConnection, dealer_id: int, vehicle_id: int, as_of: dt.date
) -> OwnerQuestion | None:
    """The question of a day about a vehicle, None where there is none."""
    c = ownerships.c
    query = asked(dealer_id, as_of).where(c.vehicle_id == vehicle_id).order_by(c.start_on.desc()).limit(1)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else OwnerQuestion(*row)
