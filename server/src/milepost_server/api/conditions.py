"""The condition of owners' vehicles: what is due when, what was read, what is not known."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from pydantic import BaseModel

from milepost_server.api.answers import (
    Answer,
    OwnerAnswer,
    OwnerQuestionAnswer,
    ServiceRecordAnswer,
    VehicleAnswer,
)
from milepost_server.api.bodies import Day, PathId
from milepost_server.api.facts import vehicle_facts, vehicles_of
from milepost_server.api.health import VehicleFaultAnswer
from milepost_server.api.services import Parts, Viewer
from milepost_server.errors import NotFoundError
from milepost_server.store import owners
from milepost_server.store.schema import DueState, LifeCycle, RestsOn

if TYPE_CHECKING:
    from milepost_server.api.facts import VehicleFacts

router = APIRouter(tags=["conditions"])


class ItemAnswer(Answer):
    """One item: when it is due, what decides, and the readings and records that this rests on."""

    item: str
    title: str
    as_of: dt.date
    state: DueState
    p10_on: dt.date | None
    p50_on: dt.date | None
    p90_on: dt.date | None
    p10_odometer_m: float | None
    p50_odometer_m: float | None
    p90_odometer_m: float | None
    p_30d: float | None
    p_90d: float | None
    worn: float | None
    position: str | None
    due_since_on: dt.date | None
    life_cycle: LifeCycle
    life_cycle_since: dt.date | None
    life_cycle_until: dt.date | None
    reminders: int
    remind_on: dt.date | None
    limits: list[dict[str, Any]]
    wear: list[dict[str, Any]]
    basis: str
    rests_on: RestsOn
    limit_text: str
    limit_short: str
    evidence: dict[str, list[dict[str, Any]]]
    config_version: str
    derived_at: dt.datetime


class OdometerAnswer(Answer):
    """The last odometer reading that was believed, and how many were not."""

    metres: float
    at: dt.datetime
    rejected: int


class GapAnswer(Answer):
    """A run of samples that a device dropped, counted by class of signal."""

    device_id: str
    first_seq: int
    last_seq: int
    reason: str
    counts: dict[str, int]
    received_at: dt.datetime


class RefusedAnswer(Answer):
    """Samples of one signal that came and were not used, and why."""

    device_id: str
    signal: str
    reason: str
    samples: int
    detail: str
    first_at: dt.datetime
    last_at: dt.datetime


class VinConflictAnswer(Answer):
    """Another VIN than the vehicle's, as its device has read it from the car."""

    device_id: str
    vin_reported: str
    first_at: dt.datetime
    last_at: dt.datetime


class ConditionAnswer(BaseModel):
    """All that is known of one vehicle as of one day; ``owner_question`` is null where nothing is asked."""

    vehicle: VehicleAnswer
    as_of: dt.date
    last_word_at: dt.datetime | None
    odometer: OdometerAnswer | None
    owner_question: OwnerQuestionAnswer | None
    items: list[ItemAnswer]
    faults: list[VehicleFaultAnswer]
    gaps: list[GapAnswer]
    refused: list[RefusedAnswer]
    vin_conflicts: list[VinConflictAnswer]
    service_records: list[ServiceRecordAnswer]


class OwnerConditionAnswer(BaseModel):
    """An owner, and the condition of each vehicle that is theirs on that day."""

    owner: OwnerAnswer
    as_of: dt.date
    vehicles: list[ConditionAnswer]


@router.get("/owners/{owner_id}")
async def owner_condition(
    owner_id: PathId, who: Viewer, parts: Parts, as_of: Day | None = None
) -> OwnerConditionAnswer:
    """An owner and what their vehicles need."""
    day = parts.day(who, as_of)
    async with parts.store.read() as connection:
        owner = await owners.one(connection, who.dealer_id, owner_id)
        if owner is None:
            raise NotFoundError("owner", owner_id)
        facts = await vehicles_of(connection, who, owner_id, day)
    return OwnerConditionAnswer(
        owner=OwnerAnswer.model_validate(owner), as_of=day, vehicles=[_condition(one) for one in facts]
    )


@router.get("/vehicles/{vehicle_id}")
async def vehicle_condition(
    vehicle_id: PathId, who: Viewer, parts: Parts, as_of: Day | None = None
) -> ConditionAnswer:
    """A vehicle and what it needs."""
    async with parts.store.read() as connection:
        facts = await vehicle_facts(connection, who, vehicle_id, parts.day(who, as_of))
    if facts is None:
        raise NotFoundError("vehicle", vehicle_id)
    return _condition(facts)


def _condition(facts: VehicleFacts) -> ConditionAnswer:
    kept = [reading for reading in facts.readings if reading.clean_m is not None]
    last = kept[-1] if kept else None
    odometer = None
    if last is not None and last.clean_m is not None:
        odometer = OdometerAnswer(
            metres=last.clean_m, at=_moment(last.time_ms), rejected=len(facts.readings) - len(kept)
        )
    return ConditionAnswer(
        vehicle=VehicleAnswer.model_validate(facts.vehicle),
        as_of=facts.as_of,
        last_word_at=None if facts.last_word_ms is None else _moment(facts.last_word_ms),
        odometer=odometer,
        owner_question=facts.question and OwnerQuestionAnswer.model_validate(facts.question),
        items=[ItemAnswer.model_validate(item) for item in facts.items],
        faults=[VehicleFaultAnswer.model_validate(fault) for fault in facts.faults],
        gaps=[GapAnswer.model_validate(gap) for gap in facts.gaps],
        refused=[RefusedAnswer.model_validate(row) for row in facts.refused],
        vin_conflicts=[VinConflictAnswer.model_validate(row) for row in facts.vin_conflicts],
        service_records=[ServiceRecordAnswer.model_validate(record) for record in facts.records],
    )


def _moment(time_ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)
