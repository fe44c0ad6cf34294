"""Queries on owners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from milepost_server.store.schema import owners

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """One customer of a dealer."""

    id: int
    name: str
    email: str | None
    phone: str | None
    external_id: str | None
    created_at: dt.datetime


_COLUMNS = (
    owners.c.id,
    owners.c.name,
    owners.c.email,
    owners.c.phone,
    owners.c.external_id,
    owners.c.created_at,
)


async def one(connection: AsyncConnection, dealer_id: int, owner_id: int) -> OwnerRow | None:
    """The dealer's owner with this id."""
    query = select(*_COLUMNS).where(owners.c.dealer_id == dealer_id, owners.c.id == owner_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else OwnerRow(*row)


async def by_external_id(connection: AsyncConnection, dealer_id: int, external_id: str) -> OwnerRow | None:
    """The dealer's owner with this number in the dealer's own system."""
    query = select(*_COLUMNS).where(owners.c.dealer_id == dealer_id, owners.c.external_id == external_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else OwnerRow(*row)


async def page(
    connection: AsyncConnection, dealer_id: int, *, after_id: int, limit: int
) -> Sequence[OwnerRow]:
    """At most ``limit`` owners with a greater id than ``after_id``, by id."""
    query = (
        select(*_COLUMNS)
        .where(owners.c.dealer_id == dealer_id, owners.c.id > after_id)
        .order_by(owners.c.id)
        .limit(limit)
    )
    return [OwnerRow(*row) for row in await connection.execute(query)]


async def put(
    connection: AsyncConnection,
    dealer_id: int,
    *,
    name: str,
    email: str | None,
    phone: str | None,
    external_id: str | None,
    now: dt.datetime,
) -> OwnerRow:
    """Add an owner, or bring the one with the same ``external_id`` up to date."""
    known = None if external_id is None else await by_external_id(connection, dealer_id, external_id)
    values = {"name": name, "email": email, "phone": phone}
    if known is not None:
        await connection.execute(
            update(owners).where(owners.c.dealer_id == dealer_id, owners.c.id == known.id).values(**values)
        )
        return OwnerRow(known.id, name, email, phone, external_id, known.created_at)
    result = await connection.execute(
        insert(owners)
        .values(dealer_id=dealer_id, external_id=external_id, created_at=now, **values)
        .returning(owners.c.id)
    )
    return OwnerRow(result.scalar_one(), name, email, phone, external_id, now)
