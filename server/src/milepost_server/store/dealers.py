"""Queries on dealers, the tenants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from milepost_server.errors import NotFoundError
from milepost_server.store.rows import inserted_id
from milepost_server.store.schema import dealers

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class DealerRow:
    """One tenant; ``timezone`` is a name of the IANA database, by which its days begin.

    All of its money is in ``currency``, three letters of ISO 4217.
    """

    id: int
    name: str
    timezone: str
    currency: str


_COLUMNS = (dealers.c.id, dealers.c.name, dealers.c.timezone, dealers.c.currency)


CURRENCY = "EUR"
"""Where nothing else is said."""


async def add(
    connection: AsyncConnection, *, name: str, timezone: str, now: dt.datetime, currency: str = CURRENCY
) -> int:
    """Add a dealer and return the id."""
    values = {"name": name, "timezone": timezone, "currency": currency, "created_at": now}
    result = await connection.execute(insert(dealers).values(**values))
    return inserted_id(result)


async def one(connection: AsyncConnection, dealer_id: int) -> DealerRow:
    """The dealer with this id.

    Raises:
        NotFoundError: there is none.
    """
    row = (await connection.execute(select(*_COLUMNS).where(dealers.c.id == dealer_id))).one_or_none()
    if row is None:
        raise NotFoundError("dealer", dealer_id)
    return DealerRow(*row)


async def every(connection: AsyncConnection) -> Sequence[DealerRow]:
    """All dealers, by id."""
    return [DealerRow(*row) for row in await connection.execute(select(*_COLUMNS).order_by(dealers.c.id))]
