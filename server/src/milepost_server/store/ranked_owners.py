"""Owners in one of their two orders, as they were taken together by the last derivation of the day."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, func, select

from milepost_server.store.readiness import OwnerSignalsRow, owner_signals_row
from milepost_server.store.schema import owner_signals, owners

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


class Order(enum.StrEnum):
    """Whom to call first: for work on a car, or for another car."""

    SERVICE = "service"
    SALES = "sales"


class RankedOwner(NamedTuple):
    """One owner in the list."""

    name: str
    signals: OwnerSignalsRow


async def page(
    connection: AsyncConnection, dealer_id: int, as_of: dt.date, order: Order, *, offset: int, limit: int
) -> Sequence[RankedOwner]:
    """At most ``limit`` owners from ``offset`` on, by the newest derivation of each up to that day."""
    c = owner_signals.c
    newest = (
        select(c.owner_id, func.max(c.as_of).label("as_of"))
        .where(c.dealer_id == dealer_id, c.as_of <= as_of)
        .group_by(c.owner_id)
        .subquery()
    )
    key = c.service_key if order is Order.SERVICE else c.sales_key
    query = (
        select(owner_signals, owners.c.name)
        .join(newest, and_(newest.c.owner_id == c.owner_id, newest.c.as_of == c.as_of))
        .join(owners, and_(owners.c.dealer_id == c.dealer_id, owners.c.id == c.owner_id))
        .where(c.dealer_id == dealer_id)
        .order_by(key, c.owner_id)
        .offset(offset)
        .limit(limit)
    )
    rows = (await connection.execute(query)).mappings()
    return [RankedOwner(row["name"], owner_signals_row(row)) for row in rows]
