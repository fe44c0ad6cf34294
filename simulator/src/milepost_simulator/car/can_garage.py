"""Builds a car on CAN: the made-up one of the agent's profile ``example-combustion``, on any vehicle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_simulator.car import pids
from milepost_simulator.car.broadcast import BROADCASTS
from milepost_simulator.car.bus_chaos import CALM_BUS, MILD_BUS, WILD_BUS, BusChaos, BusRates
from milepost_simulator.car.can_car import CanCar
from milepost_simulator.car.can_unit import CanUnit, UnitModel
from milepost_simulator.car.ecu import ENGINE_UNIT, TRANSMISSION_UNIT, Ecu, EcuModel
from milepost_simulator.car.trouble import encode_code
from milepost_simulator.car.uds import StoredCode, UdsModel, UdsUnit
from milepost_simulator.car.wear import Wear

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from milepost_simulator.car.snapshot import Snapshot, Vehicle
    from milepost_simulator.clock import Clock

BUS_CHAOS: dict[str, BusRates] = {"none": CALM_BUS, "mild": MILD_BUS, "wild": WILD_BUS}
ENGINE = UnitModel(0x7E0, 0x7E8)
TRANSMISSION = UnitModel(0x7E1, 0x7E9)
CLUSTER = UnitModel(0x720, 0x728, answers_all=False, pendings=1)
FAILED_NOW, PENDING, CONFIRMED, LAMP = 0x01, 0x04, 0x08, 0x80
FAILURE_TYPE = b"\x00"
CLUSTER_CODE = StoredCode(encode_code("U0100") + b"\x87", CONFIRMED, occurrences=2, ageing=5)
KM_TO_SERVICE = 15_000.0
DAYS_TO_SERVICE = 365


def example_car(
    vehicle: Vehicle, clock: Clock, rng: Random, *, chaos: str = "none", wear: Wear | None = None
) -> CanCar:
    """A car with units for engine, transmission and cluster; the cluster asks for patience, and has a code.

    Args:
        vehicle: what happens in the car.
        clock: the time in its world.
        rng: for the mishaps on its bus.
        chaos: how bad the bus is.
        wear: of the vehicle; without one, as new.
    """
    worn = wear or Wear()
    units = (
        CanUnit(ENGINE, Ecu(vehicle, ENGINE_UNIT), UdsUnit(UdsModel(codes=engine_codes))),
        CanUnit(TRANSMISSION, Ecu(vehicle, TRANSMISSION_UNIT), None),
        CanUnit(CLUSTER, None, UdsUnit(cluster_model(worn))),
    )
    return CanCar(vehicle, clock, units, BROADCASTS, BusChaos(rng, BUS_CHAOS[chaos]).spoil)


def extended_car(vehicle: Vehicle, clock: Clock) -> CanCar:
    """A car whose units have 29-bit identifiers, and that says nothing by itself but its cluster's frame."""
    engine = UnitModel(0x18DA10F1, 0x18DAF110)
    transmission = UnitModel(0x18DA18F1, 0x18DAF118)
    units = (
        CanUnit(engine, Ecu(vehicle, EcuModel()), UdsUnit(UdsModel(codes=engine_codes))),
        CanUnit(transmission, Ecu(vehicle, TRANSMISSION_UNIT), None),
    )
    return CanCar(vehicle, clock, units, BROADCASTS[-1:])


def engine_codes(now: Snapshot) -> Sequence[StoredCode]:
    """The codes of OBD as UDS tells them: with a status, and counters."""
    stored, pending = now.codes.stored, now.codes.pending
    lamp = LAMP if now.codes.is_mil_on else 0
    codes = [StoredCode(encode_code(c) + FAILURE_TYPE, CONFIRMED | FAILED_NOW | lamp, 3) for c in stored]
    new = (code for code in pending if code not in stored)
    return [*codes, *(StoredCode(encode_code(code) + FAILURE_TYPE, PENDING) for code in new)]


def cluster_model(wear: Wear) -> UdsModel:
    """The cluster's data, by the identifiers of the example profile; see there for bytes and scales."""

    def odometer(now: Snapshot) -> bytes:
        km = now.values.get(pids.ODOMETER)
        return b"\xff" * 4 if km is None else round(km * 10).to_bytes(4, "big")

    def service(_: Snapshot) -> bytes:
        life = max(0.0, 1.0 - wear.oil_used)
        km, days = round(KM_TO_SERVICE * life / 10), round(DAYS_TO_SERVICE * life)
        return bytes((round(200 * life),)) + km.to_bytes(2, "big") + days.to_bytes(2, "big") + b"\0"

    def pads(_: Snapshot) -> bytes:
        return bytes(round(100 * (1.0 - wear.pad_used[wheel])) for wheel in (0, 2))

    return UdsModel(
        data={0x2001: odometer, 0x2002: service, 0x2003: pads},
        codes=lambda _: (CLUSTER_CODE,),
        tells_counters=False,
    )
