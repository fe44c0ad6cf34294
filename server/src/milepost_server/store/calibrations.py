"""Queries on calibrations: how often past due intervals held, made by each full derivation."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from milepost_server.store.rows import upsert
from milepost_server.store.schema import due_calibrations

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """The calibration of one day; JSON as `store.schema.derived` describes it."""

    as_of: dt.date
    document: dict[str, Any]
    coverage: list[dict[str, Any]]
    config_version: str
    derived_at: dt.datetime


async def newest(connection: AsyncConnection, dealer_id: int, as_of: dt.date) -> CalibrationRow | None:
    """The dealer's newest calibration up to that day, None before its first full derivation."""
    c = due_calibrations.c
    query = (
        select(*(c[field.name] for field in fields(CalibrationRow)))
        .where(c.dealer_id == dealer_id, c.as_of <= as_of)
        .order_by(c.as_of.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else CalibrationRow(*row)


async def put(
    connection: AsyncConnection,
    dealer_id: int,
    *,
    as_of: dt.date,
    document: Mapping[str, Any],
    coverage: Sequence[Mapping[str, Any]],
    config_version: str,
    now: dt.datetime,
) -> None:
    """Put the calibration of that day in place of the one that is there."""
    values = {
        "document": dict(document),
        "coverage": [dict(row) for row in coverage],
        "config_version": config_version,
        "derived_at": now,
    }
    statement = upsert(connection, due_calibrations).values(dealer_id=dealer_id, as_of=as_of, **values)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["dealer_id", "as_of"], set_=values)
    )
