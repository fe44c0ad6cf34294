"""Which past days are kept as they were: all of the last month, and the last one of each month before."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import delete

from milepost_server.derivation.learning.readiness_check import BACK_D
from milepost_server.store import derived_days, readiness_foretold
from milepost_server.store.schema import (
    due_calibrations,
    owner_signals,
    readiness,
    readiness_checks,
    service_due,
    usage_priors,
    vehicle_faults,
    vehicle_health,
    vehicle_usage,
    wear_priors,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncConnection

DAYS_KEPT = 30
"""Of the days before the newest; any other past day can be replayed."""
MONTHS_KEPT = 61
"""Months of which the last day is kept: a replay begins from it, a readiness model learns from it."""
_OF_A_DAY = (
    service_due,
    vehicle_usage,
    vehicle_faults,
    vehicle_health,
    readiness,
    owner_signals,
    usage_priors,
    wear_priors,
    due_calibrations,
    readiness_checks,
)


def days_kept(derived: Iterable[dt.date], before: dt.date) -> set[dt.date]:
    """Of days on which lists were made, rising: those before ``before`` that stay."""
    last_of_month = {(day.year, day.month): day for day in derived if day < before}
    return set(list(last_of_month.values())[-MONTHS_KEPT:])


async def drop_old(connection: AsyncConnection, dealer_id: int, newest: dt.date) -> None:
    """Drop what was derived and learned for days that are not kept; ``newest`` is the day of today's list."""
    before = newest - dt.timedelta(days=DAYS_KEPT)
    days = await derived_days.up_to(connection, dealer_id, before)
    kept = days_kept((day.as_of for day in days), before)
    for table in _OF_A_DAY:
        c = table.c
        await connection.execute(
            delete(table).where(c.dealer_id == dealer_id, c.as_of < before, c.as_of.not_in(kept))
        )
    await readiness_foretold.drop_old(connection, dealer_id, newest - dt.timedelta(days=BACK_D))
