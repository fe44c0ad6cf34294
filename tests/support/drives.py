"""Whole drives in no time: an agent's ELM327 source on a simulated car, both in the same simulated time."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

from milepost_agent.backoff import Backoff
from milepost_agent.derive.oil import oil_weight
from milepost_agent.sources.elm327.session import Elm327Source, SessionOptions
from milepost_agent.thresholds import MOVING_KMH_MIN
from milepost_simulator.car.elm327 import Elm327
from milepost_simulator.car.models import MODELS, Powertrain
from milepost_simulator.car.physics import Activity, CarStart, SimulatedCar
from milepost_simulator.car.route import SHUTTLE
from milepost_simulator.clock import ManualClock
from support.cars import START_S, VIN

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from milepost_agent.readings import Reading

STEP_S = 0.1


ODOMETER_M = 48_000_000.0


def shuttle_car(seed: int, *, has_odometer_pid: bool = True) -> SimulatedCar:
    """A car that is driven again and again, with little rest between."""
    model = replace(MODELS[Powertrain.COMBUSTION], has_odometer_pid=has_odometer_pid)
    start = CarStart(vin=VIN, odometer_m=ODOMETER_M)
    return SimulatedCar(Random(seed), START_S, start, model=model, habits=SHUTTLE)


@dataclass
class Truth:
    """What the car itself knows, and no diagnostic port tells."""

    car: SimulatedCar
    running_s: float = 0.0
    idle_s: float = 0.0
    weighted_revolutions: float = 0.0
    cranking_minimums_v: list[float] = field(default_factory=list)

    @property
    def driven_m(self) -> float:
        """Distance since the beginning."""
        return self.car.odometer_m - ODOMETER_M


def live(car: SimulatedCar, for_s: float) -> Truth:
    """Let a car live, and watch it at each step."""
    truth = Truth(car)
    for step in range(1, round(for_s / STEP_S) + 1):
        was, revolutions = car.activity, car.revolutions
        state = car.snapshot(START_S + step * STEP_S)
        truth.weighted_revolutions += (car.revolutions - revolutions) * oil_weight(car.engine.oil_c)
        if car.activity is Activity.CRANKING:
            if was is not Activity.CRANKING:
                truth.cranking_minimums_v.append(state.voltage_v)
            truth.cranking_minimums_v[-1] = min(truth.cranking_minimums_v[-1], state.voltage_v)
        if car.engine.is_running:
            truth.running_s += STEP_S
            truth.idle_s += STEP_S if car.speed_m_s * 3.6 < MOVING_KMH_MIN else 0.0
    return truth


class CarPort:
    """A port to an adapter in a car whose time goes on by what the adapter takes to answer."""

    def __init__(self, adapter: Elm327, clock: ManualClock) -> None:
        self._adapter = adapter
        self._clock = clock
        self._waiting = b""

    async def read(self) -> bytes:
        """What was answered."""
        data, self._waiting = self._waiting, b""
        assert data, "the adapter has nothing to say"
        return data

    async def write(self, data: bytes) -> None:
        """Ask; simulated time passes until the answer is there."""
        for output in self._adapter.feed(data):
            self._clock.advance(output.delay_s)
            self._waiting += output.data

    async def close(self) -> None:
        """Nothing to close."""


async def read_car(car: SimulatedCar, for_s: float) -> list[Reading]:
    """All readings of an ELM327 source in ``for_s`` seconds of the car's life."""
    clock = ManualClock(START_S)
    port = CarPort(Elm327(car, clock), clock)

    async def opened() -> CarPort:
        return port

    async def sleep(seconds: float) -> None:
        clock.advance(seconds)

    source = Elm327Source(opened, Backoff(lambda: 0.0), SessionOptions(), clock.now_s, sleep)
    readings: list[Reading] = []
    generator: AsyncGenerator[Reading, None] = source.readings()
    async with contextlib.aclosing(generator):
        async for reading in generator:
            readings.append(reading)
            if clock.now_s() >= START_S + for_s:
                return readings
    raise AssertionError("the source ended by itself")
