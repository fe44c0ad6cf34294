"""Queries on the days whose lists were made on the day itself: when, and by which configuration."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from milepost_server.store.rows import upsert
from milepost_server.store.schema import derived_days, vehicle_usage

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class DerivedDay:
    """A day of which a list was made on that day.

    What was stored by ``derived_at`` is in it; what was learned of the fleet rests on what was stored by
    ``learned_at`` (None: nothing was learned on that day, what had been learned before held).
    """

    as_of: dt.date
    learned_at: dt.datetime | None
    derived_at: dt.datetime
    config_version: str


_COLUMNS = tuple(derived_days.c[field.name] for field in fields(DerivedDay))


async def note(
    connection: AsyncConnection,
    dealer_id: int,
    as_of: dt.date,
    *,
    config_version: str,
    now: dt.datetime,
    learned: bool,
) -> None:
    """Note a derivation of that day, made at ``now`` on that day; ``learned``: of all, anew."""
    values: dict[str, Any] = {"derived_at": now, "config_version": config_version}
    if learned:
        values["learned_at"] = now
    statement = upsert(connection, derived_days).values(dealer_id=dealer_id, as_of=as_of, **values)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["dealer_id", "as_of"], set_=values)
    )


async def up_to(connection: AsyncConnection, dealer_id: int, day: dt.date) -> Sequence[DerivedDay]:
    """The dealer's derived days up to ``day``, rising: a row a day."""
    query = (
        select(*_COLUMNS)
        .where(derived_days.c.dealer_id == dealer_id, derived_days.c.as_of <= day)
        .order_by(derived_days.c.as_of)
    )
    return [DerivedDay(*row) for row in await connection.execute(query)]


async def one(connection: AsyncConnection, dealer_id: int, day: dt.date) -> DerivedDay | None:
    """That day, where its list was made on it."""
    query = select(*_COLUMNS).where(derived_days.c.dealer_id == dealer_id, derived_days.c.as_of == day)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else DerivedDay(*row)


async def newest_kept(
    connection: AsyncConnection, dealer_id: int, days: Sequence[DerivedDay]
) -> dt.date | None:
    """The last of ``days`` (rising) whose list is still there as it was made then; None without any."""
    c = vehicle_usage.c
    for day in reversed(days):
        last = select(func.max(c.derived_at)).where(c.dealer_id == dealer_id, c.as_of == day.as_of)
        found: dt.datetime | None = (await connection.execute(last)).scalar_one()
        if found is not None and found <= day.derived_at:
            return day.as_of
    return None


async def listed_on(connection: AsyncConnection, dealer_id: int, day: dt.date) -> dt.date | None:
    """The newest day up to ``day`` of which there is a list; None before the first one."""
    c = vehicle_usage.c
    query = select(func.max(c.as_of)).where(c.dealer_id == dealer_id, c.as_of <= day)
    found: dt.date | None = (await connection.execute(query)).scalar_one()
    return found
