"""Queries on what was derived of a vehicle's faults, its 12 V battery and its traction pack.

As of a day; a vehicle that was not derived for that very day has the newest results before it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, func, select

from milepost_server.store.schema import (
    BatteryMeasure,
    BatteryWord,
    PackWord,
    Urgency,
    vehicle_faults,
    vehicle_health,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

CONFIRMED = ("confirmed", "permanent")
"""Statuses of faults that the car has seen in more than one drive, and still has."""
PENDING = "pending"
"""That of a fault that it has seen in one drive."""


class ActiveFault(NamedTuple):
    """A trouble code that a car has."""

    code: str
    urgency: Urgency
    is_confirmed: bool


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One trouble code of a vehicle as it stood on ``as_of``.

    ``recurrences``: how often it came back after it had been cleared. ``evidence`` as in
    `store.condition.DueRow`.
    """

    as_of: dt.date
    code: str
    title: str
    system: str
    status: str
    urgency: Urgency
    reason: str
    first_seen_at: dt.datetime | None
    last_seen_at: dt.datetime | None
    recurrences: int
    cleared_before_visit: bool
    evidence: dict[str, list[dict[str, Any]]]
    config_version: str
    derived_at: dt.datetime


@dataclass(frozen=True, slots=True)
class HealthRow:
    """12 V battery and traction battery on ``as_of``; None where not known, or not there.

    ``battery_level``, what it changes by in a year and its limit are in the unit of ``battery_measure``;
    dates are those on which a value is down to its limit, None beyond what can be foretold.
    """

    as_of: dt.date
    battery_state: BatteryWord
    battery_measure: BatteryMeasure | None
    battery_level: float | None
    battery_per_year: float | None
    battery_limit: float | None
    battery_p10_on: dt.date | None
    battery_p50_on: dt.date | None
    battery_p90_on: dt.date | None
    pack_outcome: PackWord | None
    pack_percent: float | None
    pack_per_year: float | None
    pack_limit_percent: float | None
    pack_warranty_ends_on: dt.date | None
    pack_claim_odds: float | None
    pack_p10_on: dt.date | None
    pack_p50_on: dt.date | None
    pack_p90_on: dt.date | None
    pack_p10_odometer_m: float | None
    pack_p50_odometer_m: float | None
    pack_p90_odometer_m: float | None
    evidence: dict[str, list[dict[str, Any]]]
    config_version: str
    derived_at: dt.datetime


async def of_vehicle(
    connection: AsyncConnection, dealer_id: int, vehicle_id: int, as_of: dt.date
) -> HealthRow | None:
    """The vehicle's batteries by its newest derivation up to that day, None before its first one."""
    c = vehicle_health.c
    query = (
        select(*(c[field.name] for field in fields(HealthRow)))
        .where(c.dealer_id == dealer_id, c.vehicle_id == vehicle_id, c.as_of <= as_of)
        .order_by(c.as_of.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    measure, outcome = row["battery_measure"], row["pack_outcome"]
    words = {
        "battery_state": BatteryWord(row["battery_state"]),
        "battery_measure": None if measure is None else BatteryMeasure(measure),
        "pack_outcome": None if outcome is None else PackWord(outcome),
    }
    return HealthRow(**{**row, **words})


async def faults_of(
    connection: AsyncConnection, dealer_id: int, vehicle_id: int, as_of: dt.date
) -> Sequence[FaultRow]:
    """The vehicle's faults by its newest derivation up to that day, the most urgent first."""
    c, health = vehicle_faults.c, vehicle_health.c
    # A vehicle without faults has no rows of them: when it was derived, its health tells.
    derived_for = (
        select(func.max(health.as_of))
        .where(health.dealer_id == dealer_id, health.vehicle_id == vehicle_id, health.as_of <= as_of)
        .scalar_subquery()
    )
    query = (
        select(*(c[field.name] for field in fields(FaultRow)))
        .where(c.dealer_id == dealer_id, c.vehicle_id == vehicle_id, c.as_of == derived_for)
        .order_by(c.urgency, c.code)
    )
    rows = (await connection.execute(query)).mappings()
    return [FaultRow(**{**row, "urgency": Urgency(row["urgency"])}) for row in rows]


async def active_faults(
    connection: AsyncConnection, dealer_id: int, vehicle_ids: Collection[int], as_of: dt.date
) -> dict[int, list[ActiveFault]]:
    """The faults that cars have, by vehicle, the most urgent first; vehicles without any are left out."""
    c, health = vehicle_faults.c, vehicle_health.c
    newest = (
        select(health.vehicle_id, func.max(health.as_of).label("as_of"))
        .where(health.dealer_id == dealer_id, health.vehicle_id.in_(vehicle_ids), health.as_of <= as_of)
        .group_by(health.vehicle_id)
        .subquery()
    )
    query = (
        select(c.vehicle_id, c.code, c.urgency, c.status)
        .join(newest, and_(newest.c.vehicle_id == c.vehicle_id, newest.c.as_of == c.as_of))
        .where(c.dealer_id == dealer_id, c.status.in_((*CONFIRMED, PENDING)))
        .order_by(c.vehicle_id, c.urgency, c.code)
    )
    found: dict[int, list[ActiveFault]] = {}
    for vehicle_id, code, urgency, status in await connection.execute(query):
        found.setdefault(vehicle_id, []).append(ActiveFault(code, Urgency(urgency), status in CONFIRMED))
    return found
