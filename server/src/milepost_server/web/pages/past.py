"""What the pages of a past day share: which day is asked for, and whether what they show is its list."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Query

from milepost_server.api.bodies import DAY_MAX, DAY_MIN
from milepost_server.api.services import Parts, Who
from milepost_server.store import derived_days
from milepost_server.web.views.past import Doubt, doubt

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


def day_or_none(text: str) -> dt.date | None:
    """The day of a URL or a form; None where it is not one that can be asked for."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return day if DAY_MIN <= day <= DAY_MAX else None


def asked_day(who: Who, parts: Parts, as_of: Annotated[str, Query(max_length=10)] = "") -> dt.date | None:
    """The day that the URL asks for; None where it names none, or one of which nothing is known yet."""
    day = day_or_none(as_of)
    return None if day is None or day > parts.today(who) else day


AskedDay = Annotated[dt.date | None, Depends(asked_day)]


async def doubt_of(connection: AsyncConnection, dealer_id: int, day: dt.date, today: dt.date) -> Doubt | None:
    """What to say of the list of ``day``; None for today, and where it is what that day's was."""
    if day >= today:
        return None
    listed_on = await derived_days.listed_on(connection, dealer_id, day)
    made = await derived_days.one(connection, dealer_id, day)
    return doubt(day, today, listed_on=listed_on, was_made=made is not None)
