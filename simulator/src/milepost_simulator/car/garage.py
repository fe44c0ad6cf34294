"""Builds a car with an adapter in its port from a few choices: what commands, demo and tests start from."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from milepost_simulator.car.can_garage import CLUSTER, cluster_model
from milepost_simulator.car.chaos import CALM, MILD, WILD, Chaos, ChaosRates
from milepost_simulator.car.ecu import ENGINE_UNIT, TRANSMISSION_UNIT, EcuModel
from milepost_simulator.car.elm327 import USUAL_TIMING, Addressed, Elm327, Timing
from milepost_simulator.car.framing import PROTOCOLS
from milepost_simulator.car.models import MODELS, Powertrain
from milepost_simulator.car.physics import CarStart, SimulatedCar
from milepost_simulator.car.recorded import RecordedCar, load_drive
from milepost_simulator.car.route import COMMUTER, ERRAND, SHUTTLE, Habits
from milepost_simulator.car.trouble import Fault, encode_code
from milepost_simulator.car.uds import UdsUnit
from milepost_simulator.car.wear import USUAL_DURABILITY, Wear

if TYPE_CHECKING:
    from pathlib import Path

    from milepost_simulator.car.snapshot import Vehicle
    from milepost_simulator.clock import Clock

HABITS: dict[str, Habits] = {"commuter": COMMUTER, "shuttle": SHUTTLE, "errand": ERRAND}
CHAOS: dict[str, ChaosRates] = {"none": CALM, "mild": MILD, "wild": WILD}
VIN_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
MAKER = "XMP"
ODOMETER_KM = (4_000.0, 140_000.0)
BATTERY_HEALTH = (0.6, 1.0)
METRES_PER_YEAR = 14e6


@dataclass(frozen=True, slots=True)
class CarChoice:
    """What one may choose of a car; the rest follows from the seed.

    ``vin`` and ``odometer_km`` are drawn by the seed where they are None, the age follows from the odometer;
    ``faults`` are codes that the car shows in every driving cycle from its first.
    """

    seed: int = 1
    powertrain: Powertrain = Powertrain.COMBUSTION
    habits: str = "commuter"
    chaos: str = "none"
    protocol: int = 6
    vin: str | None = None
    odometer_km: float | None = None
    age_years: float | None = None
    faults: tuple[str, ...] = ()
    two_units: bool = False
    clears_codes: bool = False


def make_vin(rng: Random) -> str:
    """A VIN of a maker that does not exist."""
    return MAKER + "".join(rng.choice(VIN_LETTERS) for _ in range(10)) + f"{rng.randrange(10_000):04d}"


def simulated_car(choice: CarChoice, now_s: float) -> SimulatedCar:
    """A simulated car whose life begins at ``now_s``.

    Raises:
        UnknownFaultCodeError: a fault that is no trouble code.
    """
    for code in choice.faults:
        encode_code(code)
    rng = Random(choice.seed)
    vin, odometer_km, health = make_vin(rng), rng.uniform(*ODOMETER_KM), rng.uniform(*BATTERY_HEALTH)
    odometer_m = 1000 * (odometer_km if choice.odometer_km is None else choice.odometer_km)
    age_years = odometer_m / METRES_PER_YEAR if choice.age_years is None else choice.age_years
    start = CarStart(
        vin=choice.vin or vin,
        odometer_m=odometer_m,
        battery_health=health,
        wear=Wear.of_used_car(USUAL_DURABILITY, odometer_m, age_years, rng),
    )
    return SimulatedCar(
        rng,
        now_s,
        start,
        model=MODELS[choice.powertrain],
        habits=HABITS[choice.habits],
        faults=[Fault(code, onset_m=0.0) for code in choice.faults],
    )


def recorded_car(choice: CarChoice, drive: Path, now_s: float) -> RecordedCar:
    """A recorded drive as a car.

    Raises:
        DriveFileError: the file cannot be played.
    """
    return RecordedCar(load_drive(drive), choice.vin or make_vin(Random(choice.seed)), now_s)


def adapter(vehicle: Vehicle, clock: Clock, choice: CarChoice, timing: Timing = USUAL_TIMING) -> Elm327:
    """An adapter in the port of ``vehicle``; on buses with 11 bits it reaches the example cluster, too."""
    engine = EcuModel(clears_codes=True) if choice.clears_codes else ENGINE_UNIT
    units = (engine, TRANSMISSION_UNIT) if choice.two_units else (engine,)
    bus = PROTOCOLS[choice.protocol]
    others = (cluster(vehicle),) if bus.is_can and not bus.is_extended else ()
    return Elm327(vehicle, clock, models=units, others=others, protocol=choice.protocol, timing=timing)


def cluster(vehicle: Vehicle) -> Addressed:
    """The cluster of the agent's profile ``example-combustion``, for an adapter."""
    wear = vehicle.wear if isinstance(vehicle, SimulatedCar) else Wear()
    return Addressed(CLUSTER.request, CLUSTER.response, UdsUnit(cluster_model(wear)))


def chaos(choice: CarChoice) -> Chaos:
    """The mishaps on its line; they have a generator of their own, so that they do not move the car."""
    return Chaos(Random(f"chaos-{choice.seed}"), CHAOS[choice.chaos])
