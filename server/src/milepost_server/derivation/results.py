"""What was derived of a vehicle's usage, for pages and API: how far it goes, and the fan of what is to come.

As of a date; a vehicle that was not derived for that very date has the newest result before it. Due items
and judged odometer readings are read by ``store.condition``, faults by ``store.vehicle_health``.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select

from milepost_server.derivation import times
from milepost_server.derivation.configuration import Configuration
from milepost_server.signals.usage.ahead import Ahead, fan
from milepost_server.signals.usage.pace import Learned
from milepost_server.signals.usage.rate import Usage
from milepost_server.store.schema import vehicle_usage

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

FRESH_DAYS_MAX = 1


@dataclass(frozen=True, slots=True)
class VehicleUsage:
    """How far a vehicle goes, and from where that is projected (None: no odometer reading yet)."""

    rate_m_per_d: float
    level_variance: float
    month_variance: float
    weight_months: float
    last_at: dt.datetime | None
    last_odometer_m: float | None
    pace: dict[str, list[float]] | None  # what the fleet's past says, as the table has it
    as_of: dt.date


@dataclass(frozen=True, slots=True)
class FanPoint:
    """The odometer to come: in 10, 50 and 90 of 100 cases it is not beyond these on that day."""

    on: dt.date
    p10_m: float
    p50_m: float
    p90_m: float


async def usage_of(
    connection: AsyncConnection, dealer_id: int, vehicle_id: int, as_of: dt.date
) -> VehicleUsage | None:
    """The vehicle's usage by the newest derivation up to that date, None before its first one."""
    c = vehicle_usage.c
    query = (
        select(
            c.rate_m_per_d,
            c.level_variance,
            c.month_variance,
            c.weight_months,
            c.last_time_ms,
            c.last_odometer_m,
            c.pace,
            c.as_of,
        )
        .where(c.dealer_id == dealer_id, c.vehicle_id == vehicle_id, c.as_of <= as_of)
        .order_by(c.as_of.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    rate, level, month, weight, last_ms, *rest = row
    last_at = None if last_ms is None else times.moment(last_ms)
    return VehicleUsage(rate, level, month, weight, last_at, *rest)


def odometer_on(usage: VehicleUsage | None, day: dt.date) -> float | None:
    """Where the odometer most likely is on ``day``, metres: the last one known, or what has come on since.

    The last one known is a reading of the car or of a service record; a day later it still says enough.
    """
    if usage is None or usage.last_at is None or usage.last_odometer_m is None:
        return None
    if (day - usage.last_at.date()).days <= FRESH_DAYS_MAX:
        return usage.last_odometer_m
    return fan_of(usage, day, points=2)[-1].p50_m


def fan_of(usage: VehicleUsage, until: dt.date, *, points: int = 24) -> list[FanPoint]:
    """The odometer's projection from its last reading to ``until``; empty without any reading.

    It is the distribution that the due dates come from: its P90 meets a limit on the limit's P10 date.
    """
    if usage.last_at is None or usage.last_odometer_m is None:
        return []
    one = Usage(
        *(
            np.array([value])
            for value in (
                usage.rate_m_per_d,
                usage.level_variance,
                usage.month_variance,
                usage.weight_months,
            )
        )
    )
    ahead = Ahead(one, Configuration().usage, None if usage.pace is None else _pace(usage.pace))
    last_d = (usage.last_at - times.EPOCH) / dt.timedelta(days=1)
    drawn = fan(ahead, last_d, usage.last_odometer_m, times.start_d(until) + 1, points)
    quantiles = zip(drawn.p10_m, drawn.p50_m, drawn.p90_m, strict=True)
    return [
        FanPoint(times.date_of(float(day)), float(p10), float(p50), float(p90))
        for day, (p10, p50, p90) in zip(drawn.time_d, quantiles, strict=True)
    ]


def _pace(pace: dict[str, list[float]]) -> Learned:
    longer, early, late = (np.array(pace[name]) for name in ("longer", "early", "late"))
    return Learned(longer[None, :], early, late)
