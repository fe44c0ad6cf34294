"""Queries on what staff did about items: appended, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, select

from milepost_server.store.schema import ItemActionKind, item_actions, staff

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

ACTIONS_MAX = 500


@dataclass(frozen=True, slots=True)
class ItemActionRow:
    """One thing that somebody did about an item.

    ``for_on``: the day of the appointment or of the work; ``until_on``: the day on which a snooze is over.
    """

    id: int
    vehicle_id: int
    item: str
    action: ItemActionKind
    at: dt.datetime
    staff_id: int
    staff_name: str
    for_on: dt.date | None
    until_on: dt.date | None
    note: str


async def of_vehicle(
    connection: AsyncConnection,
    dealer_id: int,
    vehicle_id: int,
    *,
    until: dt.datetime,
    since: dt.datetime | None = None,
    item: str | None = None,
) -> Sequence[ItemActionRow]:
    """The last ``ACTIONS_MAX`` actions on a vehicle's items, or on one; the latest first.

    They are before the moment ``until``, and not before ``since``.
    """
    query = (
        select(
            item_actions.c.id,
            item_actions.c.vehicle_id,
            item_actions.c.item,
            item_actions.c.action,
            item_actions.c.at,
            item_actions.c.staff_id,
            staff.c.name,
            item_actions.c.for_on,
            item_actions.c.until_on,
            item_actions.c.note,
        )
        .join(
            staff, and_(staff.c.dealer_id == item_actions.c.dealer_id, staff.c.id == item_actions.c.staff_id)
        )
        .where(item_actions.c.dealer_id == dealer_id, item_actions.c.vehicle_id == vehicle_id)
        .where(item_actions.c.at < until)
        .order_by(item_actions.c.at.desc(), item_actions.c.id.desc())
        .limit(ACTIONS_MAX)
    )
    if since is not None:
        query = query.where(item_actions.c.at >= since)
    if item is not None:
        query = query.where(item_actions.c.item == item)
    rows = await connection.execute(query)
    return [_action(*row) for row in rows]


def _action(key: int, vehicle_id: int, item: str, action: str, at: dt.datetime, *rest: Any) -> ItemActionRow:
    return ItemActionRow(key, vehicle_id, item, ItemActionKind(action), at, *rest)


async def add(
    connection: AsyncConnection,
    dealer_id: int,
    *,
    vehicle_id: int,
    item: str,
    action: ItemActionKind,
    staff_id: int,
    for_on: dt.date | None,
    until_on: dt.date | None,
    note: str,
    now: dt.datetime,
) -> int:
    """Append an action and return its id.

    Raises:
        sqlalchemy.exc.IntegrityError: the vehicle is not the dealer's.
    """
    result = await connection.execute(
        insert(item_actions)
        .values(
            dealer_id=dealer_id,
            vehicle_id=vehicle_id,
            item=item,
            action=action.value,
            at=now,
            staff_id=staff_id,
            for_on=for_on,
            until_on=until_on,
            note=note,
        )
        .returning(item_actions.c.id)
    )
    key: int = result.scalar_one()
    return key
