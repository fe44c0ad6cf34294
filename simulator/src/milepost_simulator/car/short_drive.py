"""A short drive that the simulator makes itself, for where no recorded one is at hand."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from milepost_simulator.car.physics import Activity, CarStart, SimulatedCar
from milepost_simulator.car.recorded import Drive
from milepost_simulator.car.route import Habits, Road

if TYPE_CHECKING:
    from milepost_simulator.car.snapshot import Snapshot

ROWS_PER_S = 4
LEAD_S = 1.0
BEGAN_S = 1_772_500_000.0
ROUND_TRIP = Habits(
    parked_s=(600.0, 600.0),
    phases=((Road.URBAN, (120, 180)), (Road.RURAL, (180, 240)), (Road.URBAN, (90, 150))),
    skip=0.0,
)


def make_short_drive(seed: int = 1) -> Drive:
    """One trip of about eight minutes, from turning the key to taking it out."""
    start = CarStart(vin="", first_departure_s=LEAD_S, battery_health=0.85)
    car = SimulatedCar(Random(seed), BEGAN_S, start, habits=ROUND_TRIP)
    seen: list[tuple[float, Snapshot]] = []
    while car.trips == 0 or car.activity is not Activity.PARKED:
        at_s = car.now_s + 1 / ROWS_PER_S
        now = car.snapshot(at_s)
        if car.now_s < at_s - 1 / ROWS_PER_S / 2:
            continue
        if now.is_ignition_on:
            seen.append((at_s, now))
    first_s = seen[0][0]
    return Drive(
        times_s=tuple(at_s - first_s for at_s, _ in seen),
        rows=tuple(dict(now.values) for _, now in seen),
        dropped_rows=0,
    )
