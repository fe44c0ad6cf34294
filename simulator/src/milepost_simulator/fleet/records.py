"""A fleet as records: what the dealer's books hold, and apart from it the truth."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, TypedDict

from milepost_simulator.fleet.items import ITEMS
from milepost_simulator.fleet.makes import residual
from milepost_simulator.fleet.population import YEAR_DAYS, Style
from milepost_simulator.fleet.workshop import NEVER

if TYPE_CHECKING:
    from milepost_simulator.fleet.fleet import Block, FleetVehicle

EPOCH = dt.date(1970, 1, 1)
MONTHS_AHEAD = 12


class VehicleRecord(TypedDict):
    """A vehicle in the dealer's books."""

    vin: str
    make: str
    model: str
    model_year: int
    powertrain: str
    plate: str
    first_registered_on: str
    owned_since: str
    device_id: str
    odometer_m_at_installation: int


class OwnerRecord(TypedDict):
    """An owner in the dealer's books, with the vehicles."""

    external_id: str
    name: str
    email: str
    phone: str
    vehicles: list[VehicleRecord]


class ServiceRecord(TypedDict):
    """One item renewed."""

    vin: str
    item: str
    done_on: str
    odometer_m: int


class VehicleTruth(TypedDict):
    """What nobody but the simulator knows of a vehicle, as of the fleet's as-of day."""

    vin: str
    owner: str
    style: str
    km_per_day_now: float
    pad_rate: float
    tyre_rate: float
    oil_rate: float
    battery_health: float
    silent_from: str | None
    contract: str
    contract_end: str | None
    allowance_km_year: int
    value: float
    due_on: dict[str, str | None]
    hazard_by_month: list[float]
    replaces_within_90_days: float
    replaces_within_180_days: float
    replaced_on: str | None


def date_of(day: int) -> dt.date:
    """The date of a day that is counted from 1970."""
    return EPOCH + dt.timedelta(days=day)


def day_of(date: dt.date) -> int:
    """Days from 1970 to ``date``."""
    return (date - EPOCH).days


def owner_records(block: Block) -> list[OwnerRecord]:
    """The wanted owners of a block, each with their vehicles."""
    people, records = block.people(), dict[int, OwnerRecord]()
    for vehicle in block.vehicles():
        number = vehicle.owner_number
        person = people[int(block.first.population.owner[vehicle.row])]
        record = records.setdefault(
            number,
            OwnerRecord(
                external_id=owner_id(number),
                name=person.name,
                email=person.email,
                phone=person.phone,
                vehicles=[],
            ),
        )
        record["vehicles"].append(vehicle_record(vehicle))
    return list(records.values())


def owner_id(number: int) -> str:
    """The dealer's number of an owner."""
    return f"C{number + 1:06d}"


def vehicle_record(vehicle: FleetVehicle) -> VehicleRecord:
    """What the dealer's books say of a vehicle."""
    model, registered = vehicle.model, date_of(vehicle.registered_day)
    return VehicleRecord(
        vin=vehicle.vin,
        make=model.make,
        model=model.name,
        model_year=registered.year,
        powertrain=model.powertrain.value,
        plate=f"MP {vehicle.block.number:02d}{vehicle.row:03d}",
        first_registered_on=registered.isoformat(),
        owned_since=date_of(vehicle.owned_since_day).isoformat(),
        device_id=vehicle.device_id,
        odometer_m_at_installation=int(vehicle.lot.population.odometer_m[vehicle.row]),
    )


def service_records(vehicle: FleetVehicle, *, recorded_only: bool = True) -> list[ServiceRecord]:
    """What was renewed, oldest first: what the dealer recorded, or all of it."""
    return [
        ServiceRecord(
            vin=vehicle.vin,
            item=service.item,
            done_on=date_of(service.day).isoformat(),
            odometer_m=service.odometer_m,
        )
        for service in vehicle.services()
        if service.is_recorded or not recorded_only
    ]


def vehicle_truth(vehicle: FleetVehicle) -> VehicleTruth:
    """The truth of a vehicle."""
    block, row = vehicle.block, vehicle.row
    people, lot, last = vehicle.lot.population, vehicle.lot, block.history_days - 1
    due_day = lot.life.due_day(block.history_days, block.plan.first_day)[row]
    now = slice(block.plan.months, block.plan.months + MONTHS_AHEAD)
    age_years = (block.plan.as_of_day - vehicle.registered_day) / YEAR_DAYS
    return VehicleTruth(
        vin=vehicle.vin,
        owner=owner_id(vehicle.owner_number),
        style=Style(int(people.style[row])).name.lower(),
        km_per_day_now=round(float(lot.level_km[row, last]), 2),
        pad_rate=round(float(people.pad_rate[row]), 3),
        tyre_rate=round(float(people.tyre_rate[row]), 3),
        oil_rate=round(float(people.oil_rate[row]), 3),
        battery_health=round(float(vehicle.battery_health(block.history_days)[-1]), 3),
        silent_from=_date_or_none(int(people.silent_from_day[row])),
        contract=vehicle.contract.name.lower(),
        contract_end=_date_or_none(int(people.contract_end_day[row])),
        allowance_km_year=int(people.allowance_km_year[row]),
        value=round(vehicle.model.price * residual(vehicle.model.powertrain, age_years)),
        due_on={
            item.key: _due_on(int(due_day[index]))
            for index, item in enumerate(ITEMS)
            if vehicle.model.powertrain in item.powertrains
        },
        hazard_by_month=[round(float(hazard), 5) for hazard in lot.intent.hazard[row, now]],
        replaces_within_90_days=round(float(lot.intent.within(block.plan.months, 3)[row]), 5),
        replaces_within_180_days=round(float(lot.intent.within(block.plan.months, 6)[row]), 5),
        replaced_on=_date_or_none(int(lot.intent.replaced_day[row])),
    )


def _date_or_none(day: int) -> str | None:
    return date_of(day).isoformat() if day else None


def _due_on(day: int) -> str | None:
    return None if day == NEVER else date_of(day).isoformat()
