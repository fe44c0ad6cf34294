"""What was done about a vehicle's items since its present owner has it: with a former owner, it is over."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from milepost_server.derivation.times import AsOf, moment
from milepost_server.store import item_actions, ownerships

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.people.sessions import Principal
    from milepost_server.store.item_actions import ItemActionRow

_DAY = dt.timedelta(days=1)


async def actions_of(
    connection: AsyncConnection, who: Principal, vehicle_id: int, day: dt.date, *, item: str | None = None
) -> Sequence[ItemActionRow]:
    """Actions on the items, or on one, up to the end of ``day``, the latest first.

    They are those since the owner of that day has the car; all of them where nobody has it.
    """
    owned = await ownerships.of_vehicle(connection, who.dealer_id, vehicle_id)
    current = (one for one in owned if one.start_on <= day and (one.end_on is None or one.end_on > day))
    start_on = next((one.start_on for one in current), None)
    return await item_actions.of_vehicle(
        connection,
        who.dealer_id,
        vehicle_id,
        since=None if start_on is None else moment(AsOf.of(start_on - _DAY, who.timezone).end_ms),
        until=moment(AsOf.of(day, who.timezone).end_ms),
        item=item,
    )
