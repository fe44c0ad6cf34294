"""Queries on checks of readiness models: whether each still fits, as of a day; made by full derivations."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select

from milepost_server.store.schema import readiness_checks

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class CheckRow:
    """The check of one model; JSON as `store.schema.scores` describes it."""

    as_of: dt.date
    model_version: str
    vehicles: int
    foretold_on: dt.date | None
    drift: list[dict[str, Any]]
    came: dict[str, Any]
    config_version: str
    derived_at: dt.datetime


async def newest(connection: AsyncConnection, dealer_id: int, as_of: dt.date) -> Sequence[CheckRow]:
    """The dealer's newest checks up to that day: one of each model that was looked at, by version."""
    c = readiness_checks.c
    day = select(func.max(c.as_of)).where(c.dealer_id == dealer_id, c.as_of <= as_of).scalar_subquery()
    query = (
        select(*(c[field.name] for field in fields(CheckRow)))
        .where(c.dealer_id == dealer_id, c.as_of == day)
        .order_by(c.model_version)
    )
    return [CheckRow(*row) for row in await connection.execute(query)]


async def put(connection: AsyncConnection, dealer_id: int, rows: Sequence[CheckRow]) -> None:
    """Put these checks, all of one day and at least one, in place of those that are there."""
    c = readiness_checks.c
    await connection.execute(
        delete(readiness_checks).where(c.dealer_id == dealer_id, c.as_of == rows[0].as_of)
    )
    named = [{field.name: getattr(row, field.name) for field in fields(CheckRow)} for row in rows]
    await connection.execute(insert(readiness_checks), [{"dealer_id": dealer_id, **row} for row in named])
