"""What the pages of a past day share: whether what they show is what that day's list was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_server.store import derived_days
from milepost_server.web.views.past import Doubt, doubt

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.ext.asyncio import AsyncConnection


async def doubt_of(connection: AsyncConnection, dealer_id: int, day: dt.date, today: dt.date) -> Doubt | None:
    """What to say of the list of ``day``; None for today, and where it is what that day's was."""
    if day >= today:
        return None
    listed_on = await derived_days.listed_on(connection, dealer_id, day)
    made = await derived_days.one(connection, dealer_id, day)
    return doubt(day, today, listed_on=listed_on, was_made=made is not None)
