"""Reads from the store what a page is about: the I/O between routes and the pure views."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from milepost_server.derivation import results, times
from milepost_server.signals.items import shipped
from milepost_server.store import condition, installations, ownerships, service_records, vehicles
from milepost_server.web.views.vehicle import VehicleFacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.results import VehicleUsage
    from milepost_server.people.sessions import Principal
    from milepost_server.store.condition import DueRow

ODOMETERS_SHOWN_MAX = 2_000
RECORDS_SHOWN_MAX = 200
# The picture looks as far ahead as its next item is due, and at least this far.
FAN_DAYS_MIN = 60
FAN_DAYS_MAX = 3 * 365


async def vehicles_of(
    connection: AsyncConnection, who: Principal, owner_id: int, as_of: dt.date
) -> list[VehicleFacts]:
    """The facts of all vehicles that the owner has on that day."""
    owned = await ownerships.of_owner(connection, who.dealer_id, owner_id, as_of)
    found = [await vehicle_facts(connection, who, ownership.vehicle_id, as_of) for ownership in owned]
    return [facts for facts in found if facts is not None]


async def vehicle_facts(
    connection: AsyncConnection, who: Principal, vehicle_id: int, as_of: dt.date
) -> VehicleFacts | None:
    """The facts of one vehicle as derived last up to ``as_of``; None where it is not the dealer's."""
    dealer_id = who.dealer_id
    vehicle = await vehicles.one(connection, dealer_id, vehicle_id)
    if vehicle is None:
        return None
    until_ms = times.end_ms(as_of)
    due = await condition.due_items(connection, dealer_id, vehicle_id, as_of)
    usage = await results.usage_of(connection, dealer_id, vehicle_id, as_of)
    signals = [path for item in shipped()[vehicle.powertrain].item if item.wear for path in item.wear.signals]
    worn = await condition.latest_readings(connection, dealer_id, vehicle_id, signals, until_ms)
    last = await condition.last_words(connection, dealer_id, [vehicle_id], until_ms)
    return VehicleFacts(
        vehicle=vehicle,
        as_of=as_of,
        timezone=who.timezone,
        items=due,
        readings=await condition.odometers(
            connection, dealer_id, vehicle_id, until_ms, limit=ODOMETERS_SHOWN_MAX
        ),
        fan=fan_ahead(usage, due, as_of),
        faults=await results.faults_of(connection, dealer_id, vehicle_id, as_of),
        records=await service_records.of_vehicle(
            connection, dealer_id, vehicle_id, until=as_of, limit=RECORDS_SHOWN_MAX
        ),
        wear={path: float(row.value) for path, row in worn.items()},
        gaps=await condition.gaps_of(connection, dealer_id, vehicle_id, times.moment(until_ms)),
        installations=await installations.of_vehicle(connection, dealer_id, vehicle_id),
        last_word_ms=last.get(vehicle_id),
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
