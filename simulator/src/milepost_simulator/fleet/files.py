"""Writes a fleet to a folder, block by block, so that its size in memory does not grow with it."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, NamedTuple

from milepost_simulator.fleet.fleet import Block, make_blocks
from milepost_simulator.fleet.history import history
from milepost_simulator.fleet.lot import FleetPlan
from milepost_simulator.fleet.records import date_of, owner_records, service_records, vehicle_truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

SERVICE_COLUMNS = ("vin", "item", "done_on", "odometer_m")
FAULT_COLUMNS = ("vin", "code", "pending_on", "confirmed_on", "mended_on")
SAMPLE_COLUMNS = ("signal", "value", "time_ms")
READ_ME = """A simulated fleet: people, cars and histories that do not exist.

plan.json               what it was made from; the same plan makes the same fleet
owners.jsonl            an owner a line, with the vehicles: what the dealer's books hold
services.csv            services that the dealer recorded
samples/DEVICE.csv      what the agent in a vehicle would have sent
truth/vehicles.jsonl    a vehicle a line: character, contract, true due dates, true intent
truth/services.csv      all services, those done elsewhere too
truth/faults.csv        all faults
"""


class Written(NamedTuple):
    """How much was written."""

    owners: int
    vehicles: int
    samples: int


class FleetWriter:
    """Appends blocks to the files of one folder."""

    def __init__(self, folder: Path, *, with_truth: bool, with_samples: bool) -> None:
        self._folder = folder
        self._with_truth = with_truth
        self._with_samples = with_samples

    def begin(self, plan: FleetPlan) -> None:
        """Make the folder and the heads of its files; what an earlier fleet left there is written over."""
        (self._folder / "samples").mkdir(parents=True, exist_ok=True)
        facts = plan._asdict() | {"as_of": date_of(plan.as_of_day).isoformat()}
        (self._folder / "plan.json").write_text(json.dumps(facts, indent=2) + "\n")
        (self._folder / "README.txt").write_text(READ_ME)
        (self._folder / "owners.jsonl").write_text("")
        _write_head(self._folder / "services.csv", SERVICE_COLUMNS)
        if self._with_truth:
            (self._folder / "truth").mkdir(exist_ok=True)
            (self._folder / "truth" / "vehicles.jsonl").write_text("")
            _write_head(self._folder / "truth" / "services.csv", SERVICE_COLUMNS)
            _write_head(self._folder / "truth" / "faults.csv", FAULT_COLUMNS)

    def add(self, block: Block) -> Written:
        """Append one block."""
        vehicles = list(block.vehicles())
        owners = owner_records(block)
        _append_lines(self._folder / "owners.jsonl", owners)
        recorded = (record for vehicle in vehicles for record in service_records(vehicle))
        _append(self._folder / "services.csv", SERVICE_COLUMNS, recorded)
        if self._with_truth:
            self._add_truth(block)
        samples = 0
        for vehicle in vehicles if self._with_samples else ():
            rows = [row._asdict() for row in history(vehicle)]
            path = self._folder / "samples" / f"{vehicle.device_id}.csv"
            _write_head(path, SAMPLE_COLUMNS)
            _append(path, SAMPLE_COLUMNS, rows)
            samples += len(rows)
        return Written(len(owners), len(vehicles), samples)

    def _add_truth(self, block: Block) -> None:
        folder, vehicles = self._folder / "truth", list(block.vehicles())
        _append_lines(folder / "vehicles.jsonl", (vehicle_truth(v) for v in vehicles))
        services = (r for v in vehicles for r in service_records(v, recorded_only=False))
        _append(folder / "services.csv", SERVICE_COLUMNS, services)
        faults = (
            {
                "vin": vehicle.vin,
                "code": fault.code,
                "pending_on": date_of(fault.pending_day).isoformat(),
                "confirmed_on": date_of(fault.confirmed_day).isoformat(),
                "mended_on": date_of(fault.mended_day).isoformat(),
            }
            for vehicle in vehicles
            for fault in vehicle.faults()
        )
        _append(folder / "faults.csv", FAULT_COLUMNS, faults)


def write_fleet(plan: FleetPlan, writer: FleetWriter, progress: Callable[[Written], None]) -> Written:
    """Write the whole fleet; ``progress`` hears the totals after each block."""
    writer.begin(plan)
    total = Written(0, 0, 0)
    for block in make_blocks(plan):
        added = writer.add(block)
        total = Written(*(a + b for a, b in zip(total, added, strict=True)))
        progress(total)
    return total


def _write_head(path: Path, columns: tuple[str, ...]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(columns)


def _append(path: Path, columns: tuple[str, ...], rows: Iterable[Mapping[str, object]]) -> None:
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.DictWriter(file, columns).writerows(rows)


def _append_lines(path: Path, records: Iterable[Mapping[str, object]]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
