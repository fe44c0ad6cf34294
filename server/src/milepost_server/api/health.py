"""What is wrong with a vehicle, how urgent it is and why, and how its batteries are."""

from __future__ import annotations

import datetime as dt
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from milepost_server.api.answers import Answer, Items
from milepost_server.api.bodies import Day, PathId
from milepost_server.api.services import Parts, Viewer
from milepost_server.errors import NotFoundError
from milepost_server.store import vehicle_health, vehicles
from milepost_server.store.schema import BatteryMeasure, BatteryWord, PackWord, Urgency

router = APIRouter(tags=["health"])


class VehicleFaultAnswer(Answer):
    """A trouble code as it stood on ``as_of``."""

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


class VehicleHealthAnswer(Answer):
    """12 V battery and traction pack; dates are those on which the value is down to its limit."""

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


class VehicleHealthOrNone(BaseModel):
    """Null before the vehicle was derived."""

    health: VehicleHealthAnswer | None


@router.get("/vehicles/{vehicle_id}/faults")
async def vehicle_faults(
    vehicle_id: PathId, who: Viewer, parts: Parts, as_of: Day | None = None
) -> Items[VehicleFaultAnswer]:
    """The vehicle's faults, the most urgent first."""
    async with parts.store.read() as connection:
        if await vehicles.one(connection, who.dealer_id, vehicle_id) is None:
            raise NotFoundError("vehicle", vehicle_id)
        rows = await vehicle_health.faults_of(connection, who.dealer_id, vehicle_id, parts.day(who, as_of))
    return Items(items=[VehicleFaultAnswer.model_validate(row) for row in rows])


@router.get("/vehicles/{vehicle_id}/health")
async def vehicle_batteries(
    vehicle_id: PathId, who: Viewer, parts: Parts, as_of: Day | None = None
) -> VehicleHealthOrNone:
    """The vehicle's 12 V battery and traction pack."""
    async with parts.store.read() as connection:
        if await vehicles.one(connection, who.dealer_id, vehicle_id) is None:
            raise NotFoundError("vehicle", vehicle_id)
        row = await vehicle_health.of_vehicle(connection, who.dealer_id, vehicle_id, parts.day(who, as_of))
    return VehicleHealthOrNone(health=None if row is None else VehicleHealthAnswer.model_validate(row))
