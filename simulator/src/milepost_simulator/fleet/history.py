"""What an agent in a vehicle of the fleet would have sent: rows of signal, value and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from milepost_simulator.car.battery import RESISTANCE_OHM, STARTER_A
from milepost_simulator.car.climate import TEMPERATE
from milepost_simulator.car.models import Powertrain
from milepost_simulator.car.wear import PRESSURE_KPA, PRESSURE_LOSS_KPA_PER_DAY, pack_health
from milepost_simulator.fleet.blocks import Stream, generator
from milepost_simulator.fleet.items import TREAD_LIMIT_MM, TREAD_NEW_MM, Channel
from milepost_simulator.fleet.population import YEAR_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from milepost_protocol.signals import Value
    from milepost_simulator.fleet.fleet import FleetVehicle

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
EVENING_H = (15.5, 22.5)
MORNING_H = (4.5, 8.5)
WEEK_DAYS = 7
KM_PER_HOUR = 42.0
IDLE_SHARE = 0.14
REVOLUTIONS_PER_KM = 1_850.0
BRAKE_KWH_PER_KM = 0.0115
TRIP_KM = 11.0
ANCHOR_M_PER_KM = 12.0

AXLES = "Vehicle.Chassis.Axle."
MILEPOST = "Vehicle.Milepost."
ENGINE = "Vehicle.Powertrain.CombustionEngine."
WHEELS = ("Row1.Left", "Row1.Right", "Row2.Left", "Row2.Right")
TREAD_BY_WHEEL = (1.0, 0.97, 0.8, 0.82)
PADS_BY_WHEEL = (1.0, 0.93, 1.0, 0.95)


class Row(NamedTuple):
    """One sample as an agent would store it; its seq and trust are the buffer's."""

    signal: str
    value: Value
    time_ms: int


def history(vehicle: FleetVehicle, *, with_counters: bool = True) -> list[Row]:
    """All samples of a vehicle's history, in the order of their times.

    ``with_counters`` is false where a real agent goes on with the same buffer: its counters begin at 0.

    The last day is the one before the fleet's as-of day, or the one on which the device fell silent.
    """
    block = vehicle.block
    rng = generator(block.plan.seed, block.number, Stream.HISTORY, vehicle.row)
    days = block.history_days
    silent_from = vehicle.silent_from_day
    if silent_from:
        days = min(days, silent_from - block.plan.first_day)
    evening_ms = _times_ms(rng, block.plan.first_day, days, EVENING_H)
    morning_ms = _times_ms(rng, block.plan.first_day, days, MORNING_H)
    rows = [
        *_identity(vehicle, int(morning_ms[0])),
        *_odometer(vehicle, evening_ms),
        *(_counters(vehicle, evening_ms) if with_counters else ()),
        *_wear(vehicle, evening_ms),
        *_pressures(morning_ms),
        *_battery(rng, vehicle, morning_ms),
        *_pack(vehicle, evening_ms),
        *_faults(vehicle, evening_ms),
    ]
    return sorted(rows, key=lambda row: row.time_ms)


def _times_ms(
    rng: np.random.Generator, first_day: int, days: int, hours: tuple[float, float]
) -> NDArray[np.int64]:
    within = (rng.uniform(*hours, days) * 3600).astype(np.int64) * 1000
    return (first_day + np.arange(days)) * DAY_MS + within


def _identity(vehicle: FleetVehicle, time_ms: int) -> Iterator[Row]:
    source = "car" if vehicle.model.has_odometer else "anchored"
    yield Row("Vehicle.VehicleIdentification.VIN", vehicle.vin, time_ms)
    yield Row(f"{MILEPOST}Odometer.Source", source, time_ms)


def _odometer(vehicle: FleetVehicle, evening_ms: NDArray[np.int64]) -> Iterator[Row]:
    """One reading at the end of each day of driving, in steps of 100 m where the car reports it itself."""
    odometer_km = vehicle.odometer_km()
    begin_km = float(odometer_km[0])
    km = vehicle.km()
    own = vehicle.model.has_odometer
    yield Row(f"{MILEPOST}Odometer.Uncertainty", 0.0, int(evening_ms[0]))
    for index in np.flatnonzero(km[: len(evening_ms)] > 0):
        metres = int(odometer_km[index] * 10) * 100 if own else int(odometer_km[index] * 1000)
        yield Row("Vehicle.TraveledDistance", metres, int(evening_ms[index]))
        if not own and index % WEEK_DAYS == 0:
            uncertainty_m = ANCHOR_M_PER_KM * float(odometer_km[index] - begin_km)
            yield Row(f"{MILEPOST}Odometer.Uncertainty", round(uncertainty_m), int(evening_ms[index]))


def _counters(vehicle: FleetVehicle, evening_ms: NDArray[np.int64]) -> Iterator[Row]:
    """Totals since the device was installed, once a week."""
    total_km = np.cumsum(vehicle.km())
    has_engine = vehicle.model.powertrain is not Powertrain.EV
    trips = np.cumsum(np.ceil(vehicle.km() / TRIP_KM))
    for index in range(WEEK_DAYS - 1, len(evening_ms), WEEK_DAYS):
        at_ms, km, count = int(evening_ms[index]), float(total_km[index]), int(trips[index])
        yield Row(f"{MILEPOST}Trip.Count", count, at_ms)
        yield Row(f"{MILEPOST}Brake.Energy", round(km * BRAKE_KWH_PER_KM, 3), at_ms)
        if not has_engine:
            continue
        hours = km / KM_PER_HOUR / (1 - IDLE_SHARE)
        yield Row(f"{ENGINE}EngineHours", round(hours, 3), at_ms)
        yield Row(f"{ENGINE}IdleHours", round(hours * IDLE_SHARE, 3), at_ms)
        yield Row(f"{MILEPOST}Engine.Revolutions", round(km * REVOLUTIONS_PER_KM), at_ms)
        yield Row(f"{MILEPOST}Engine.OilWeightedRevolutions", round(km * REVOLUTIONS_PER_KM * 1.15), at_ms)
        yield Row(f"{MILEPOST}Engine.Starts", count, at_ms)
        yield Row(f"{MILEPOST}Engine.ColdStarts", int(count * 0.45), at_ms)


def _wear(vehicle: FleetVehicle, evening_ms: NDArray[np.int64]) -> Iterator[Row]:
    """Pads, treads and oil whenever their figure changes, as seen after a drive."""
    used = vehicle.worn(len(evening_ms))
    drives = vehicle.km()[: len(evening_ms)] > 0
    for index, wheel in enumerate(WHEELS):
        front = index < 2
        pads = used[:, Channel.FRONT_PADS if front else Channel.REAR_PADS] * PADS_BY_WHEEL[index]
        row, side = wheel.split(".")
        path = f"{AXLES}{row}.Wheel.{side}.Brake.PadWear"
        percent = np.minimum(np.floor(pads * 100), 100).astype(np.int64)
        yield from (Row(path, int(v), t) for v, t in _changes(percent, drives, evening_ms))
        gone_mm = used[:, Channel.TYRES] * TREAD_BY_WHEEL[index] * (TREAD_NEW_MM - TREAD_LIMIT_MM)
        tread = np.round(np.maximum(TREAD_NEW_MM - gone_mm, 0.0), 1)
        path = f"{MILEPOST}Tire.{wheel}.TreadDepth"
        yield from (Row(path, float(v), t) for v, t in _changes(tread, drives, evening_ms))
    if vehicle.model.has_oil_monitor:
        life = np.floor(100 * np.maximum(1 - used[:, Channel.OIL], 0.0))
        path = f"{MILEPOST}Engine.OilLife"
        yield from (Row(path, float(v), t) for v, t in _changes(life, drives, evening_ms))


def _changes(
    values: NDArray[np.generic],
    drives: NDArray[np.bool_],
    times_ms: NDArray[np.int64],
) -> Iterator[tuple[float, int]]:
    """Value and time of each day of driving on which the value differs from the last one sent."""
    last = None
    for index in np.flatnonzero(drives):
        value = float(values[index])
        if value != last:
            last = value
            yield value, int(times_ms[index])


def _pressures(morning_ms: NDArray[np.int64]) -> Iterator[Row]:
    """Once a week, in the cold of the morning; topped up every other month."""
    for index in range(0, len(morning_ms), WEEK_DAYS):
        loss_kpa = PRESSURE_LOSS_KPA_PER_DAY * (index % 60)
        warmth = 0.8 * (TEMPERATE.ambient_c(int(morning_ms[index]) / 1000) - 20.0)
        for wheel in WHEELS:
            row, side = wheel.split(".")
            path = f"{AXLES}{row}.Wheel.{side}.Tire.Pressure"
            yield Row(path, round(PRESSURE_KPA - loss_kpa + warmth), int(morning_ms[index]))


def _battery(rng: np.random.Generator, vehicle: FleetVehicle, morning_ms: NDArray[np.int64]) -> Iterator[Row]:
    """Rest voltage on some mornings, and the dip of the first start of a day of driving."""
    health = vehicle.battery_health(len(morning_ms))
    ambient_c = np.array([TEMPERATE.ambient_c(int(t) / 1000) for t in morning_ms])
    rest_v = 12.66 - 0.6 * (1 - health) + 0.004 * (ambient_c - 15) + rng.normal(0, 0.02, len(health))
    ohm = RESISTANCE_OHM * (1 + 0.9 * (1 - health)) * (1 + 0.010 * np.maximum(0, 25 - ambient_c))
    dip_v = rest_v - STARTER_A * (1 + 0.012 * np.maximum(0, 20 - ambient_c)) * ohm
    has_starter = vehicle.model.powertrain is Powertrain.COMBUSTION
    for index in range(0, len(morning_ms), WEEK_DAYS // 2):
        at_ms = int(morning_ms[index])
        yield Row(f"{MILEPOST}Battery.RestVoltage", round(float(rest_v[index]), 2), at_ms)
        if has_starter:
            yield Row(
                f"{MILEPOST}Battery.CrankingMinimum", round(float(dip_v[index]), 2), at_ms + HOUR_MS // 60
            )


def _pack(vehicle: FleetVehicle, evening_ms: NDArray[np.int64]) -> Iterator[Row]:
    """State of health of the traction battery, once in four weeks."""
    if vehicle.model.powertrain is Powertrain.COMBUSTION:
        return
    odometer_km, first_day = vehicle.odometer_km(), vehicle.block.plan.first_day
    for index in range(0, len(evening_ms), 4 * WEEK_DAYS):
        age_years = (first_day + index - vehicle.registered_day) / YEAR_DAYS
        percent = 100 * pack_health(1000 * float(odometer_km[index]), age_years)
        yield Row(
            "Vehicle.Powertrain.TractionBattery.StateOfHealth", round(percent, 1), int(evening_ms[index])
        )


def _faults(vehicle: FleetVehicle, evening_ms: NDArray[np.int64]) -> Iterator[Row]:
    first_day = vehicle.block.plan.first_day
    stages: list[tuple[int, str, str]] = []
    for fault in vehicle.faults():
        stages.append((fault.pending_day, fault.code, "pending"))
        stages.append((fault.confirmed_day, fault.code, "confirmed"))
        stages.append((fault.mended_day, fault.code, "cleared"))
    confirmed: set[str] = set()
    for day, code, status in sorted(stages):
        if not 0 <= day - first_day < len(evening_ms):
            continue
        at_ms = int(evening_ms[day - first_day])
        yield Row(f"{MILEPOST}Diagnostics.Dtc", f"{code} {status}", at_ms)
        if status == "pending":
            continue
        confirmed.add(code) if status == "confirmed" else confirmed.discard(code)
        yield Row("Vehicle.Diagnostics.DTCCount", len(confirmed), at_ms)
        yield Row(f"{MILEPOST}Diagnostics.IsMilOn", bool(confirmed), at_ms)
        if status == "cleared":
            yield Row(f"{MILEPOST}Diagnostics.CodesCleared", True, at_ms)
            yield Row(f"{MILEPOST}Diagnostics.DistanceSinceCleared", 0, at_ms)
