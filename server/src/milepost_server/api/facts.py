"""All that is known of one vehicle as of one day: read from the store for its page and its API answer."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_server.api.actions import actions_of
from milepost_server.derivation import results, times
from milepost_server.derivation.schedules import plan_of
from milepost_server.store import (
    condition,
    contracts,
    installations,
    missing,
    owner_questions,
    ownerships,
    service_records,
    vehicle_health,
    vehicles,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.results import FanPoint, VehicleUsage
    from milepost_server.people.sessions import Principal
    from milepost_server.signals.schedules.book import Plan
    from milepost_server.store.condition import DueRow, GapRow, OdometerRow
    from milepost_server.store.contracts import ContractRow
    from milepost_server.store.installations import InstallationView
    from milepost_server.store.item_actions import ItemActionRow
    from milepost_server.store.missing import RefusedRow, VinConflictRow
    from milepost_server.store.owner_questions import OwnerQuestion
    from milepost_server.store.ownerships import OwnershipRow
    from milepost_server.store.service_records import ServiceRecordRow
    from milepost_server.store.vehicle_health import FaultRow, HealthRow
    from milepost_server.store.vehicles import VehicleRow

ODOMETERS_SHOWN_MAX = 2_000
RECORDS_SHOWN_MAX = 200
# The picture looks as far ahead as its next item is due, and at least this far.
FAN_DAYS_MIN = 120
FAN_DAYS_MAX = 3 * 365


@dataclass(frozen=True, slots=True)
class VehicleFacts:
    """All that was read of one vehicle, as of one day."""

    vehicle: VehicleRow
    as_of: dt.date
    timezone: str
    plan: Plan  # by the dealer's schedules of now
    items: Sequence[DueRow]
    readings: Sequence[OdometerRow]
    fan: Sequence[FanPoint]
    faults: Sequence[FaultRow]
    health: HealthRow | None
    contracts: Sequence[ContractRow]
    actions: Sequence[ItemActionRow]
    records: Sequence[ServiceRecordRow]
    wear: Mapping[str, float]
    gaps: Sequence[GapRow]
    installations: Sequence[InstallationView]
    last_word_ms: int | None
    refused: Sequence[RefusedRow]
    vin_conflicts: Sequence[VinConflictRow]
    question: OwnerQuestion | None
    odometer_now_m: float | None  # projected from the last reading or record where that is old

    @property
    def titles(self) -> Mapping[str, str]:
        """What items are called, by key: as they were derived, else by the schedules of now."""
        return {**self.plan.titles, **{item.item: item.title for item in self.items}}


async def vehicles_of(
    connection: AsyncConnection, who: Principal, owner_id: int, as_of: dt.date
) -> list[VehicleFacts]:
    """The facts of all vehicles that the owner has on that day."""
    owned = await ownerships.of_owner(connection, who.dealer_id, owner_id, as_of)
    found = [
        await vehicle_facts(connection, who, ownership.vehicle_id, as_of, owned=ownership)
        for ownership in owned
    ]
    return [facts for facts in found if facts is not None]


async def vehicle_facts(
    connection: AsyncConnection,
    who: Principal,
    vehicle_id: int,
    as_of: dt.date,
    *,
    owned: OwnershipRow | None = None,
) -> VehicleFacts | None:
    """The facts of one vehicle as derived last up to ``as_of``; None where it is not the dealer's.

    Contracts are those that concern whom ``owned`` names; without anybody there are none.
    """
    dealer_id = who.dealer_id
    vehicle = await vehicles.one(connection, dealer_id, vehicle_id)
    if vehicle is None:
        return None
    until_ms = times.AsOf.of(as_of, who.timezone).end_ms
    until = times.moment(until_ms)
    due = await condition.due_items(connection, dealer_id, vehicle_id, as_of)
    usage = await results.usage_of(connection, dealer_id, vehicle_id, as_of)
    plan = await plan_of(connection, dealer_id, vehicle, times.moment(until_ms))
    signals = [path for item in plan.items if item.wear for path in item.wear.signals]
    worn = await condition.latest_readings(connection, dealer_id, vehicle_id, signals, until_ms)
    last = await condition.last_words(connection, dealer_id, [vehicle_id], until_ms)
    return VehicleFacts(
        vehicle=vehicle,
        as_of=as_of,
        timezone=who.timezone,
        plan=plan,
        items=due,
        readings=await condition.odometers(
            connection, dealer_id, vehicle_id, until_ms, limit=ODOMETERS_SHOWN_MAX
        ),
        fan=fan_ahead(usage, due, as_of),
        faults=await vehicle_health.faults_of(connection, dealer_id, vehicle_id, as_of),
        health=await vehicle_health.of_vehicle(connection, dealer_id, vehicle_id, as_of),
        contracts=await contracts.of_ownership(connection, dealer_id, owned, as_of) if owned else [],
        actions=await actions_of(connection, who, vehicle_id, as_of),
        records=await service_records.of_vehicle(
            connection, dealer_id, vehicle_id, until=as_of, limit=RECORDS_SHOWN_MAX
        ),
        wear={path: float(row.value) for path, row in worn.items()},
        gaps=await condition.gaps_of(connection, dealer_id, vehicle_id, until),
        installations=await installations.of_vehicle(connection, dealer_id, vehicle_id),
        last_word_ms=last.get(vehicle_id),
        refused=await missing.refused_of(connection, dealer_id, vehicle_id, until),
        vin_conflicts=await missing.vin_conflicts_of(connection, dealer_id, vehicle_id, until),
        question=await owner_questions.of_vehicle(connection, dealer_id, vehicle_id, as_of),
        odometer_now_m=results.odometer_on(usage, as_of),
    )


def fan_ahead(usage: VehicleUsage | None, due: Sequence[DueRow], as_of: dt.date) -> list[results.FanPoint]:
    """The odometer's projection until the next item is due for sure."""
    if usage is None:
        return []
    coming = [item for item in due if item.p50_on is not None and item.p50_on > as_of]
    first = min(coming, key=lambda item: item.p50_on or dt.date.max, default=None)
    until = first.p90_on if first and first.p90_on else as_of
    days = min(max((until - as_of).days, FAN_DAYS_MIN), FAN_DAYS_MAX)
    return results.fan_of(usage, as_of + dt.timedelta(days=days))
