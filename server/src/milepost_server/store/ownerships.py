"""Queries on ownerships: whose car it was, from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import case, insert, null, or_, select, update

from milepost_server.store.schema import ownerships

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class OwnershipRow:
    """One owner's time with one vehicle; ``end_on`` is the first day on which it is over.

    ``confirmed_on`` is the last day on which staff knew that it still goes on.
    """

    id: int
    owner_id: int
    vehicle_id: int
    start_on: dt.date
    end_on: dt.date | None
    confirmed_on: dt.date | None = None


_COLUMNS = (
    ownerships.c.id,
    ownerships.c.owner_id,
    ownerships.c.vehicle_id,
    ownerships.c.start_on,
    ownerships.c.end_on,
    ownerships.c.confirmed_on,
)


async def page(
    connection: AsyncConnection, dealer_id: int, *, after_id: int, limit: int
) -> Sequence[OwnershipRow]:
    """At most ``limit`` ownerships with a greater id than ``after_id``, by id."""
    query = (
        select(*_COLUMNS)
        .where(ownerships.c.dealer_id == dealer_id, ownerships.c.id > after_id)
        .order_by(ownerships.c.id)
        .limit(limit)
    )
    return [OwnershipRow(*row) for row in await connection.execute(query)]


async def of_vehicle(connection: AsyncConnection, dealer_id: int, vehicle_id: int) -> Sequence[OwnershipRow]:
    """All ownerships of a vehicle, the latest first."""
    query = (
        select(*_COLUMNS)
        .where(ownerships.c.dealer_id == dealer_id, ownerships.c.vehicle_id == vehicle_id)
        .order_by(ownerships.c.start_on.desc(), ownerships.c.id.desc())
    )
    return [OwnershipRow(*row) for row in await connection.execute(query)]


async def other_owners(
    connection: AsyncConnection,
    dealer_id: int,
    vehicle_ids: Collection[int],
    as_of: dt.date,
    *,
    known_by: dt.datetime | None = None,
) -> dict[int, set[int]]:
    """Whose each of these vehicles (by id) was before that day or is after it, and is not on it.

    What was entered after ``known_by`` does not count; None: all that is known.
    """
    c = ownerships.c
    end_known: ColumnElement[dt.date | None] = c.end_on
    query = select(c.vehicle_id, c.owner_id, c.start_on).where(
        c.dealer_id == dealer_id, c.vehicle_id.in_(vehicle_ids)
    )
    if known_by is not None:
        query = query.where(or_(c.created_at.is_(None), c.created_at <= known_by))
        end_known = case((c.end_entered_at > known_by, null()), else_=c.end_on)
    ever: dict[int, set[int]] = {one: set() for one in vehicle_ids}
    present: dict[int, set[int]] = {one: set() for one in vehicle_ids}
    for vehicle_id, owner_id, start_on, end_on in await connection.execute(query.add_columns(end_known)):
        ever[vehicle_id].add(owner_id)
        if start_on <= as_of and (end_on is None or end_on > as_of):
            present[vehicle_id].add(owner_id)
    return {one: ever[one] - present[one] for one in vehicle_ids}


async def of_owner(
    connection: AsyncConnection, dealer_id: int, owner_id: int, as_of: dt.date
) -> Sequence[OwnershipRow]:
    """The ownerships that an owner has on a day, by their start."""
    query = (
        select(*_COLUMNS)
        .where(ownerships.c.dealer_id == dealer_id, ownerships.c.owner_id == owner_id)
        .where(ownerships.c.start_on <= as_of)
        .where(or_(ownerships.c.end_on.is_(None), ownerships.c.end_on > as_of))
        .order_by(ownerships.c.start_on, ownerships.c.id)
    )
    return [OwnershipRow(*row) for row in await connection.execute(query)]


async def cars_of(
    connection: AsyncConnection, dealer_id: int, owner_ids: Sequence[int], as_of: dt.date
) -> dict[int, list[int]]:
    """The vehicles that each of these owners has on a day; who has none is left out."""
    c = ownerships.c
    query = (
        select(c.owner_id, c.vehicle_id)
        .where(c.dealer_id == dealer_id, c.owner_id.in_(owner_ids), c.start_on <= as_of)
        .where(or_(c.end_on.is_(None), c.end_on > as_of))
        .order_by(c.owner_id, c.vehicle_id)
    )
    found: dict[int, list[int]] = {}
    for owner_id, vehicle_id in await connection.execute(query):
        found.setdefault(owner_id, []).append(vehicle_id)
    return found


async def overlapping(
    connection: AsyncConnection,
    dealer_id: int,
    *,
    vehicle_id: int,
    start_on: dt.date,
    end_on: dt.date | None,
) -> OwnershipRow | None:
    """The first ownership of the vehicle that shares a day with the time given."""
    query = (
        select(*_COLUMNS)
        .where(ownerships.c.dealer_id == dealer_id, ownerships.c.vehicle_id == vehicle_id)
        .where(or_(ownerships.c.end_on.is_(None), ownerships.c.end_on > start_on))
        .order_by(ownerships.c.start_on)
        .limit(1)
    )
    if end_on is not None:
        query = query.where(ownerships.c.start_on < end_on)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else OwnershipRow(*row)


async def add(
    connection: AsyncConnection,
    dealer_id: int,
    *,
    owner_id: int,
    vehicle_id: int,
    start_on: dt.date,
    end_on: dt.date | None,
    now: dt.datetime,
) -> OwnershipRow:
    """Add an ownership.

    Raises:
        sqlalchemy.exc.IntegrityError: owner and vehicle are not both the dealer's.
    """
    result = await connection.execute(
        insert(ownerships)
        .values(
            dealer_id=dealer_id,
            owner_id=owner_id,
            vehicle_id=vehicle_id,
            start_on=start_on,
            end_on=end_on,
            created_at=now,
            end_entered_at=None if end_on is None else now,
        )
        .returning(ownerships.c.id)
    )
    return OwnershipRow(result.scalar_one(), owner_id, vehicle_id, start_on, end_on)


async def end(
    connection: AsyncConnection, dealer_id: int, ownership_id: int, end_on: dt.date, *, now: dt.datetime
) -> None:
    """Set the day on which an ownership is over; the list of a day before ``now`` did not know of it."""
    await connection.execute(
        update(ownerships)
        .where(ownerships.c.dealer_id == dealer_id, ownerships.c.id == ownership_id)
        .values(end_on=end_on, end_entered_at=now)
    )


async def confirm(connection: AsyncConnection, dealer_id: int, ownership_id: int, on: dt.date) -> None:
    """Note that staff knew on that day that the vehicle still is this owner's."""
    await connection.execute(
        update(ownerships)
        .where(ownerships.c.dealer_id == dealer_id, ownerships.c.id == ownership_id)
        .values(confirmed_on=on)
    )
