"""What a dealer's own books say of the demo's fleet: contracts, warranties, and what owners have paid for."""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING, Any

from milepost_simulator.fleet import money
from milepost_simulator.fleet.column_part import CARS_PER_BLOCK_MAX, CONTRACT_KINDS
from milepost_simulator.fleet.columns import block_tables
from milepost_simulator.fleet.fleet import FleetVehicle
from milepost_simulator.fleet.population import Contract
from milepost_simulator.fleet.records import date_of, owner_id, service_records
from milepost_simulator.fleet.trouble import ITEM_COST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from milepost_simulator.fleet.fleet import Block

    Body = dict[str, object]

SOURCE = "books"
BOUGHT = {Contract.LEASE: "lease", Contract.SUBSCRIPTION: "subscription"}
"""The outcome that began each kind of contract; any other car was sold."""

# Columns of a fleet's contracts by the fields of the API that they fill; days are filled apart.
_AMOUNTS = {
    "start_m": "start_odometer_m",
    "end_m": "end_odometer_m",
    "allowance_m": "allowance_m",
    "principal": "principal",
    "monthly_rate": "payment_per_month",
    "balloon": "balloon",
}
_RATES = {"excess_fee_per_km": "excess_fee_per_km", "annual_interest": "annual_interest"}


def list_price(vehicle: FleetVehicle) -> int:
    """What the car costs new, in cents."""
    return round(money.CENTS * vehicle.model.price)


def contract_bodies(
    blocks: Iterable[Block], owner_ids: Mapping[str, int], vehicle_ids: Mapping[str, int]
) -> list[Body]:
    """Bodies of the known contracts of the cars in ``vehicle_ids``; of some the money is not known."""
    return [
        {
            "owner_id": owner_ids[owner_id(vehicle.owner_number)],
            "vehicle_id": vehicle_ids[vehicle.vin],
            "sender_id": f"{vehicle.vin} {said['kind']}",
            "source": SOURCE,
            **said,
        }
        for block in blocks
        for vehicle, said in _contracts(block)
        if vehicle.vin in vehicle_ids
    ]


def _contracts(block: Block) -> Iterator[tuple[FleetVehicle, Body]]:
    seen = block_tables(block, with_wear=False).observed
    columns, numbers = seen["contracts"], seen["vehicles"]["number"]
    for values in zip(*(column.tolist() for column in columns.values()), strict=True):
        row = dict(zip(columns, values, strict=True))
        vehicle = FleetVehicle(block, int(numbers[row["vehicle"]]) % CARS_PER_BLOCK_MAX)
        yield vehicle, _contract(row)


def _contract(row: Mapping[str, Any]) -> Body:
    said: Body = {
        "kind": CONTRACT_KINDS[row["kind"]],
        "start_on": date_of(row["start_day"]).isoformat(),
        "end_on": date_of(row["end_day"]).isoformat(),
    }
    said |= {field: round(row[name]) for name, field in _AMOUNTS.items() if not math.isnan(row[name])}
    return said | {field: row[name] for name, field in _RATES.items() if not math.isnan(row[name])}


def outcome_bodies(
    vehicles: Iterable[FleetVehicle], owner_ids: Mapping[str, int], vehicle_ids: Mapping[str, int]
) -> list[Body]:
    """Bodies of what the owners did so far: how each car came to them, and their visits to the workshop."""
    return [
        {
            "owner_id": owner_ids[owner_id(vehicle.owner_number)],
            "vehicle_id": vehicle_ids[vehicle.vin],
            "source": SOURCE,
            **said,
        }
        for vehicle in vehicles
        for said in (_purchase(vehicle), *_visits(vehicle))
    ]


def _purchase(vehicle: FleetVehicle) -> Body:
    on = date_of(vehicle.owned_since_day).isoformat()
    row, kind = vehicle.row, BOUGHT.get(vehicle.contract, "sale")
    said: Body = {"kind": kind, "happened_on": on, "sender_id": f"{vehicle.vin} bought"}
    if vehicle.contract is not Contract.SUBSCRIPTION:
        said["amount"] = round(list_price(vehicle) * float(money.price_share(vehicle.lot.population)[row]))
    return said


def _visits(vehicle: FleetVehicle) -> Iterator[Body]:
    since = date_of(vehicle.owned_since_day).isoformat()
    records = [record for record in service_records(vehicle) if record["done_on"] >= since]
    visits = groupby(records, key=lambda record: record["done_on"])
    for number, (on, done) in enumerate(visits, start=1):
        yield {
            "kind": "service",
            "happened_on": on,
            "sender_id": f"{vehicle.vin} visit {number}",
            "amount": round(money.CENTS * ITEM_COST * len(list(done))),
        }
