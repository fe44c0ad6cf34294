"""Cars, adapters and clocks for the tests of the simulator."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from milepost_simulator.car.elm327 import PROMPTLY, Elm327
from milepost_simulator.car.physics import CarStart, SimulatedCar
from milepost_simulator.car.route import SHUTTLE
from milepost_simulator.clock import ManualClock
from support.cars import START_S, VIN, StandingCar

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def standing() -> StandingCar:
    """A car with ignition on, two values and no codes."""
    return StandingCar()


@pytest.fixture
def clock() -> ManualClock:
    """Simulated time, moved by the test."""
    return ManualClock(START_S)


@pytest.fixture
def elm(standing: StandingCar, clock: ManualClock) -> Elm327:
    """An adapter on the standing car that never makes one wait."""
    return Elm327(standing, clock, timing=PROMPTLY)


@pytest.fixture
def make_car() -> Callable[..., SimulatedCar]:
    """Builds a simulated car that drives often; keyword arguments go to the car."""

    def make(seed: int = 1, start: CarStart | None = None, **more: object) -> SimulatedCar:
        options: dict[str, object] = {"habits": SHUTTLE} | more
        return SimulatedCar(Random(seed), START_S, start or CarStart(vin=VIN, odometer_m=5e7), **options)  # type: ignore[arg-type]

    return make
