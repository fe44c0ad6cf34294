"""The dealer's books of the demo: a seeded fleet, and its registration at the server."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_simulator.demo.books import contract_bodies, list_price, outcome_bodies
from milepost_simulator.fleet.fleet import Block, FleetVehicle, make_blocks
from milepost_simulator.fleet.lot import FleetPlan
from milepost_simulator.fleet.records import (
    OwnerRecord,
    date_of,
    day_of,
    owner_records,
    service_records,
    vehicle_record,
)

if TYPE_CHECKING:
    from milepost_simulator.demo.plan import DemoPlan
    from milepost_simulator.demo.rest import Rest


@dataclass(frozen=True, slots=True)
class Showroom:
    """A fleet that fits into memory."""

    first_day: dt.date
    blocks: list[Block]
    owners: list[OwnerRecord]
    vehicles: list[FleetVehicle]


@dataclass(frozen=True, slots=True)
class Registered:
    """What the server knows now: its ids, and what it was told of cars that it did not know before.

    Attributes:
        owners: ids by the dealer's number.
        vehicles: ids by VIN.
        secrets: those of the devices in the new cars.
    """

    owners: dict[str, int]
    vehicles: dict[str, int]
    secrets: dict[str, str]
    services: int
    contracts: int
    outcomes: int


def make_showroom(plan: DemoPlan, today: dt.date) -> Showroom:
    """The fleet of the demo, with its history up to yesterday."""
    fleet = FleetPlan(plan.owners, plan.seed, plan.months, day_of(today))
    blocks = list(make_blocks(fleet))
    return Showroom(
        first_day=date_of(fleet.first_day),
        blocks=blocks,
        owners=[record for block in blocks for record in owner_records(block)],
        vehicles=[vehicle for block in blocks for vehicle in block.vehicles()],
    )


async def register(rest: Rest, showroom: Showroom, known_devices: set[str]) -> Registered:
    """Tell the server who owns what, which device sits where, what was serviced, signed and paid when.

    Of cars with a known device the server has heard all that is past.

    Raises:
        ServerRefusedError: the server does not take it.
    """
    owner_fields = ("external_id", "name", "email", "phone")
    owners = [{field: owner[field] for field in owner_fields} for owner in showroom.owners]  # type: ignore[literal-required]
    owner_ids = {o["external_id"]: o["id"] for o in await rest.post_all("/owners", owners)}
    vehicle_ids = await _register_vehicles(rest, showroom)
    await _register_ownerships(rest, showroom, owner_ids, vehicle_ids)
    fresh = [vehicle for vehicle in showroom.vehicles if vehicle.device_id not in known_devices]
    secrets = await _register_devices(rest, showroom, vehicle_ids, fresh)
    services = [
        {"vehicle_id": vehicle_ids[r["vin"]], "source": "workshop"}
        | {k: v for k, v in r.items() if k != "vin"}
        for vehicle in fresh
        for r in service_records(vehicle)
    ]
    new_ids = {vehicle.vin: vehicle_ids[vehicle.vin] for vehicle in fresh}
    contracts = contract_bodies(showroom.blocks, owner_ids, new_ids)
    outcomes = outcome_bodies(fresh, owner_ids, new_ids)
    for path, bodies in (("/service-records", services), ("/contracts", contracts), ("/outcomes", outcomes)):
        await rest.post_all(path, bodies)
    return Registered(owner_ids, vehicle_ids, secrets, len(services), len(contracts), len(outcomes))


async def _register_ownerships(
    rest: Rest, showroom: Showroom, owner_ids: dict[str, int], vehicle_ids: dict[str, int]
) -> None:
    await rest.post_all(
        "/ownerships",
        [
            {
                "owner_id": owner_ids[owner["external_id"]],
                "vehicle_id": vehicle_ids[vehicle["vin"]],
                "start_on": vehicle["owned_since"],
            }
            for owner in showroom.owners
            for vehicle in owner["vehicles"]
        ],
    )


async def _register_vehicles(rest: Rest, showroom: Showroom) -> dict[str, int]:
    fields = ("vin", "make", "model", "model_year", "powertrain", "plate", "first_registered_on")
    bodies = [
        {"list_price": list_price(vehicle)} | {field: vehicle_record(vehicle)[field] for field in fields}  # type: ignore[literal-required]
        for vehicle in showroom.vehicles
    ]
    return {answer["vin"]: answer["id"] for answer in await rest.post_all("/vehicles", bodies)}


async def _register_devices(
    rest: Rest, showroom: Showroom, vehicle_ids: dict[str, int], fresh: list[FleetVehicle]
) -> dict[str, str]:
    answers = await rest.post_all("/devices", [{"id": vehicle.device_id} for vehicle in fresh])
    start_at = dt.datetime.combine(showroom.first_day, dt.time(), dt.UTC).isoformat()
    installations = [
        {"device_id": v.device_id, "vehicle_id": vehicle_ids[v.vin], "start_at": start_at} for v in fresh
    ]
    await rest.post_all("/installations", installations)
    return {answer["id"]: answer["secret"] for answer in answers}
