"""Queries on readings that a person judged otherwise than cleaning did: appended, the newest holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, func, insert, select

from milepost_server.store.schema import reading_overrules, readings, staff

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

OVERRULES_MAX = 500


class Place(NamedTuple):
    """Where a reading of a vehicle stands, as evidence names it."""

    vehicle_id: int
    stream_id: int
    seq: int


@dataclass(frozen=True, slots=True)
class OverruleRow:
    """What somebody said of one reading: that it counts (``keep``), or that it does not."""

    stream_id: int
    seq: int
    vehicle_id: int
    keep: bool
    note: str
    staff_id: int
    staff_name: str
    at: dt.datetime


async def of_vehicle(connection: AsyncConnection, dealer_id: int, vehicle_id: int) -> Sequence[OverruleRow]:
    """The last ``OVERRULES_MAX`` overrules of a vehicle's readings that hold, the latest first."""
    c = reading_overrules.c
    newest = (
        select(func.max(c.id).label("id"))
        .where(c.dealer_id == dealer_id, c.vehicle_id == vehicle_id)
        .group_by(c.stream_id, c.seq)
        .subquery()
    )
    query = (
        select(c.stream_id, c.seq, c.vehicle_id, c.keep, c.note, c.staff_id, staff.c.name, c.at)
        .join(newest, newest.c.id == c.id)
        .join(staff, and_(staff.c.dealer_id == c.dealer_id, staff.c.id == c.staff_id))
        .where(c.dealer_id == dealer_id, c.keep.is_not(None))
        .order_by(c.at.desc(), c.stream_id, c.seq)
        .limit(OVERRULES_MAX)
    )
    return [OverruleRow(*row) for row in await connection.execute(query)]


async def has_reading(connection: AsyncConnection, dealer_id: int, at: Place, *, signal: str) -> bool:
    """Whether the vehicle has a reading of this signal there."""
    c = readings.c
    query = select(c.seq).where(
        c.dealer_id == dealer_id,
        c.stream_id == at.stream_id,
        c.seq == at.seq,
        c.vehicle_id == at.vehicle_id,
        c.signal == signal,
    )
    return (await connection.execute(query)).one_or_none() is not None


async def put(
    connection: AsyncConnection,
    dealer_id: int,
    at: Place,
    *,
    keep: bool | None,
    note: str,
    staff_id: int,
    now: dt.datetime,
) -> None:
    """Say whether a reading counts, or with ``keep`` None leave it to cleaning again.

    What was said before stays in the table: a list of that time rests on it.
    """
    values = {"keep": keep, "note": note, "staff_id": staff_id, "at": now}
    await connection.execute(insert(reading_overrules).values(dealer_id=dealer_id, **at._asdict(), **values))
