"""From codes and voltages to what is wrong with V vehicles: faults, 12 V batteries, traction batteries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.derivation import signal_paths
from milepost_server.signals.ends import Place
from milepost_server.signals.faults.clearing import cleared_before_visit, clearings, falls
from milepost_server.signals.faults.codes import CODES
from milepost_server.signals.faults.fleet import FaultEvents, FleetFaults, fleet_faults
from milepost_server.signals.faults.systems import shipped_systems
from milepost_server.signals.faults.urgency import NO_BITS, Lamp, Urgencies, urgencies
from milepost_server.signals.flat import last_rows, owners_of
from milepost_server.signals.health.battery import NO_SEASON, Battery, BatteryReadings, batteries
from milepost_server.signals.health.pack import PackReadings, Packs, pack_limits, packs, shipped_pack_facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Inputs
    from milepost_server.signals.axis import OdometerAxis
    from milepost_server.signals.flat import Bools, Floats, Ints
    from milepost_server.signals.fleet.inputs import Fleet

BATTERY_ITEM = "battery-12v"


@dataclass(frozen=True, slots=True)
class Health:
    """What is wrong with V vehicles, or soon will be."""

    faults: FleetFaults
    urgency: Urgencies
    before_visit: Bools  # (F) whether each fault was cleared shortly before a visit
    reports_faults: Bools  # (V) whether the car tells of its faults at all
    battery: Battery
    pack: Packs
    pack_limit: Floats  # (V) percent that the warranty promises; NaN where there is none


def health(
    inputs: Inputs, fleet: Fleet, season: Sequence[Floats], as_of_d: float, config: Configuration
) -> Health:
    """The health of V vehicles; ``season`` is what months add to readings of batteries, one a measure."""
    faults = _faults(inputs, fleet.axis, config)
    table = shipped_systems()
    urgency = urgencies(faults, table, _lamp(inputs), _bits(inputs, faults), config.faults)
    limits, pack = _packs(inputs, fleet, as_of_d, config)
    return Health(
        faults=faults,
        urgency=urgency,
        before_visit=_before_visit(inputs, faults, config),
        reports_faults=_reports(inputs),
        battery=_batteries(inputs, season, as_of_d, config),
        pack=pack,
        pack_limit=limits,
    )


def battery_readings(inputs: Inputs) -> list[BatteryReadings]:
    """The readings of each measure of 12 V batteries."""
    found = []
    for path in signal_paths.BATTERY:
        rows = inputs.rows_of(path)
        found.append(BatteryReadings(_offsets(rows.vehicle, inputs.vehicles), rows.time_d, rows.value))
    return found


def no_season() -> list[Floats]:
    """For a fleet whose batteries nobody has looked at yet."""
    return [NO_SEASON] * len(signal_paths.BATTERY)


def _offsets(vehicle: Ints, vehicles: int) -> Ints:
    """Where each of the vehicles begins (vehicles + 1) in rows whose ``vehicle`` (N) rises."""
    return np.searchsorted(vehicle, np.arange(vehicles + 1))


def _faults(inputs: Inputs, axis: OdometerAxis, config: Configuration) -> FleetFaults:
    told = inputs.faults
    odometer_m = axis.at(owners_of(told.offsets), told.time_d)
    events = FaultEvents(told.offsets, told.code, told.status, told.time_d, odometer_m)
    return fleet_faults(events, config.faults)


def _lamp(inputs: Inputs) -> Ints:
    rows = inputs.rows_of(signal_paths.LAMP)
    last = last_rows(_offsets(rows.vehicle, inputs.vehicles))
    value = np.append(rows.value, np.nan)[last]
    return np.where(np.isnan(value), int(Lamp.UNKNOWN), np.where(value > 0, int(Lamp.ON), int(Lamp.OFF)))


def _bits(inputs: Inputs, faults: FleetFaults) -> Ints:
    """The last status byte (F) that was told of each fault, or NO_BITS."""
    bits = np.full(len(faults.code), NO_BITS, dtype=np.int64)
    told = inputs.faults
    if not len(bits) or not len(told.detail_code):
        return bits
    key = faults.vehicle * CODES + faults.code  # rises
    wanted = told.detail_vehicle * CODES + told.detail_code
    place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    known = key[place] == wanted
    bits[place[known]] = told.detail_bits[known]  # the last of equal places stays
    return bits


def _before_visit(inputs: Inputs, faults: FleetFaults, config: Configuration) -> Bools:
    hidden = np.zeros(len(faults.code), dtype=np.bool_)
    both = (signal_paths.SINCE_CLEARED, signal_paths.CODES_CLEARED)
    paths = [path for path in both if len(inputs.rows_of(path).value)]
    if not paths or not len(hidden):
        return hidden
    services = inputs.services
    order = np.lexsort((services.done_d, services.vehicle))
    visits = (_offsets(services.vehicle[order], inputs.vehicles), services.done_d[order])
    for path in paths:
        rows = inputs.rows_of(path)
        offsets = _offsets(rows.vehicle, inputs.vehicles)
        is_counter = path == signal_paths.SINCE_CLEARED
        shows = falls(offsets, rows.value) if is_counter else rows.value > 0
        found = clearings(offsets, rows.time_d, shows, visits=visits, faults=faults, rules=config.clearing)
        hidden |= cleared_before_visit(faults, found, config.clearing)
    return hidden


def _reports(inputs: Inputs) -> Bools:
    speaks: Bools = np.diff(inputs.faults.offsets) > 0
    speaks[inputs.rows_of(signal_paths.LAMP).vehicle] = True
    return speaks


def _batteries(inputs: Inputs, season: Sequence[Floats], as_of_d: float, config: Configuration) -> Battery:
    services = inputs.services
    renewed_d = np.full(inputs.vehicles, np.nan)
    if BATTERY_ITEM in inputs.keys:
        row = np.flatnonzero(services.item == inputs.keys.index(BATTERY_ITEM))
        row = row[np.argsort(services.done_d[row], kind="stable")]
        renewed_d[services.vehicle[row]] = services.done_d[row]  # the last of equal places stays
    return batteries(battery_readings(inputs), renewed_d, season, as_of_d, config.battery)


def _packs(inputs: Inputs, fleet: Fleet, as_of_d: float, config: Configuration) -> tuple[Floats, Packs]:
    facts, which = shipped_pack_facts(), inputs.money.pack_warranty
    began_d = np.where(which >= 0, inputs.registered_d, np.nan)
    limits = pack_limits(facts.warranty, np.maximum(which, 0), began_d, fleet.axis.origin_m)
    rows = inputs.rows_of(signal_paths.PACK)
    readings = PackReadings(_offsets(rows.vehicle, inputs.vehicles), rows.time_d, rows.value)
    place = Place(fleet.axis.anchor_d, fleet.axis.anchor_m)
    found = packs(readings, limits, place, fleet.ahead, as_of_d, facts=facts, rules=config.pack)
    return limits.percent, found
