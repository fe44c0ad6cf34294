"""Queries on readiness models: documents with a version, of one dealer or of all together."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, or_, select

from milepost_server.store.schema import Fitted, readiness_models

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model; ``dealer_id`` None where it was fitted on all dealers together.

    Outcomes up to ``fitted_on`` were looked at; from ``in_force_on`` on it scores.
    """

    id: int
    dealer_id: int | None
    version: str
    document: dict[str, Any]
    fitted: Fitted
    fitted_on: dt.date
    in_force_on: dt.date
    metrics: dict[str, Any]
    created_at: dt.datetime


_COLUMNS = tuple(readiness_models.c[field.name] for field in fields(ModelRow))


def _model(row: RowMapping) -> ModelRow:
    return ModelRow(**{**row, "fitted": Fitted(row["fitted"])})


def _usable(dealer_id: int) -> ColumnElement[bool]:
    return or_(readiness_models.c.dealer_id == dealer_id, readiness_models.c.dealer_id.is_(None))


async def page(
    connection: AsyncConnection, dealer_id: int, *, after_id: int, limit: int
) -> Sequence[ModelRow]:
    """At most ``limit`` models that the dealer may use, with a greater id than ``after_id``, by id."""
    query = (
        select(*_COLUMNS)
        .where(_usable(dealer_id), readiness_models.c.id > after_id)
        .order_by(readiness_models.c.id)
        .limit(limit)
    )
    return [_model(row) for row in (await connection.execute(query)).mappings()]


async def newest(
    connection: AsyncConnection, dealer_id: int, as_of: dt.date, *, limit: int
) -> Sequence[ModelRow]:
    """At most ``limit`` models that the dealer may use and that were in force by that day, newest first."""
    c = readiness_models.c
    query = (
        select(*_COLUMNS)
        .where(_usable(dealer_id), c.in_force_on <= as_of)
        .order_by(c.in_force_on.desc(), c.id.desc())
        .limit(limit)
    )
    return [_model(row) for row in (await connection.execute(query)).mappings()]


async def one(connection: AsyncConnection, dealer_id: int, version: str) -> ModelRow | None:
    """The model of that version, where the dealer may use it: its own before the one of all dealers."""
    c = readiness_models.c
    query = select(*_COLUMNS).where(_usable(dealer_id), c.version == version).order_by(c.dealer_id.is_(None))
    row = (await connection.execute(query.limit(1))).mappings().one_or_none()
    return None if row is None else _model(row)


async def in_force(connection: AsyncConnection, dealer_id: int, as_of: dt.date) -> ModelRow | None:
    """The model that scores the dealer's owners on that day.

    The newest of its own; where it has none, the newest of all dealers; None where there is none either, and
    the priors score.
    """
    c = readiness_models.c
    query = (
        select(*_COLUMNS)
        .where(_usable(dealer_id), c.in_force_on <= as_of)
        .order_by(c.dealer_id.is_(None), c.in_force_on.desc(), c.id.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _model(row)


async def add(
    connection: AsyncConnection,
    dealer_id: int | None,
    *,
    version: str,
    document: Mapping[str, Any],
    fitted: Fitted,
    fitted_on: dt.date,
    in_force_on: dt.date,
    metrics: Mapping[str, Any],
    now: dt.datetime,
) -> bool:
    """Add a model, and say whether it is new: the same version is the same document."""
    c = readiness_models.c
    same = c.dealer_id.is_(None) if dealer_id is None else c.dealer_id == dealer_id
    query = select(c.id).where(same, c.version == version)
    option = {"across_dealers": "a model of all dealers belongs to none"} if dealer_id is None else {}
    if (await connection.execute(query, execution_options=option)).first() is not None:
        return False
    values = {
        "version": version,
        "document": dict(document),
        "fitted": fitted.value,
        "metrics": dict(metrics),
    }
    dates = {"fitted_on": fitted_on, "in_force_on": in_force_on, "created_at": now}
    await connection.execute(insert(readiness_models).values(dealer_id=dealer_id, **values, **dates))
    return True
