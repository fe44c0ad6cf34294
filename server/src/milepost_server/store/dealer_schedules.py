"""Queries on the service schedules that a dealer puts before those that come with the product."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, insert, select

from milepost_server.store.schema import dealer_schedules, staff

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

VERSION_DIGITS = 8


@dataclass(frozen=True, slots=True)
class DealerScheduleRow:
    """A schedule that holds: its TOML text, and who set it (None: the command line)."""

    name: str
    text: str
    version: str
    staff_name: str | None
    at: dt.datetime


def version_of(text: str) -> str:
    """A short name of the text's content."""
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_DIGITS]


async def current(connection: AsyncConnection, dealer_id: int) -> Sequence[DealerScheduleRow]:
    """The dealer's own schedules that hold now, by name."""
    c = dealer_schedules.c
    newest = select(func.max(c.id).label("id")).where(c.dealer_id == dealer_id).group_by(c.name).subquery()
    query = (
        select(c.name, c.text, c.version, staff.c.name, c.at)
        .join(newest, newest.c.id == c.id)
        .outerjoin(staff, and_(staff.c.dealer_id == c.dealer_id, staff.c.id == c.staff_id))
        .where(c.dealer_id == dealer_id, c.text.is_not(None))
        .order_by(c.name)
    )
    return [DealerScheduleRow(*row) for row in await connection.execute(query)]


async def put(
    connection: AsyncConnection,
    dealer_id: int,
    *,
    name: str,
    text: str | None,
    staff_id: int | None,
    now: dt.datetime,
) -> None:
    """Set the schedule of that name, or with ``text`` None take it back; earlier ones stay in the table."""
    await connection.execute(
        insert(dealer_schedules).values(
            dealer_id=dealer_id,
            name=name,
            text=text,
            version=version_of(text or ""),
            staff_id=staff_id,
            at=now,
        )
    )
