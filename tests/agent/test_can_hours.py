"""Hours on a bus in seconds: bad lines, drives and rests, and what stays in memory; in simulated time."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections import Counter
from random import Random

import pytest

from milepost_agent import paths
from milepost_agent.edge import Edge
from milepost_agent.readings import Reading
from milepost_simulator.car.broadcast import BROADCASTS
from milepost_simulator.car.bus_chaos import WILD_BUS, BusChaos, BusRates
from milepost_simulator.car.can_car import CanCar
from milepost_simulator.car.can_unit import CanFrame
from milepost_simulator.clock import ManualClock
from support.can_cars import ODOMETER_M, VIN, direct_source, on_can, standing_car
from support.cars import START_S, StandingCar
from support.waiting import until

HOUR_S = 3_600.0
OIL_LIFE = "Vehicle.Milepost.Engine.OilLife"
TRUTH = {
    paths.VIN: {VIN},
    paths.ODOMETER: {ODOMETER_M},
    paths.RPM: {1500.0},
    paths.SPEED: {50.0},
    paths.DTC_CONFIRMED: {"P0301 U0100", "P0301", "U0100"},
    OIL_LIFE: {100.0},
}


def quiet_car(standing: StandingCar, clock: ManualClock, chaos: BusChaos | None = None) -> CanCar:
    """The example car, whose cluster alone speaks by itself: ten frames a second, so that hours are short."""
    units = on_can(standing).units
    spoil = chaos.spoil if chaos else lambda frame: (frame,)
    return CanCar(standing, clock, units, BROADCASTS[-1:], spoil)


async def read_for(source: object, clock: ManualClock, seconds: float) -> list[Reading]:
    ends_s, read = clock.now_s() + seconds, []
    async with contextlib.aclosing(source.readings()) as readings:
        async for reading in readings:
            read.append(reading)
            if clock.now_s() >= ends_s:
                return read
    raise AssertionError("a source does not end by itself")


@pytest.mark.parametrize("seed", range(8))
async def test_a_wild_bus_brings_all_that_the_car_has_and_nothing_else(seed: int) -> None:
    clock, chaos = ManualClock(START_S), BusChaos(Random(seed), WILD_BUS)
    source = direct_source(quiet_car(standing_car(), clock, chaos), clock)
    readings = await read_for(source, clock, 300.0)
    told = {signal: {r.value for r in readings if r.signal == signal} for signal in TRUTH}
    assert all(told[signal] and told[signal] <= TRUTH[signal] for signal in TRUTH), told
    assert {r.value for r in readings if r.signal == paths.SYSTEM_STATE} == {"ON"}
    status = source.status()
    assert sum(chaos.mishaps.values()) > 50
    assert int(status["garbled"]) > 10
    assert int(status["readings"]) > 500


async def test_codes_on_a_wild_bus_are_told_once_and_never_as_cleared() -> None:
    clock, chaos = ManualClock(START_S), BusChaos(Random(1), WILD_BUS)
    source, edge = direct_source(quiet_car(standing_car(), clock, chaos), clock), Edge()
    readings = await read_for(source, clock, HOUR_S / 2)
    events = Counter(s.value for reading in readings for s in edge.feed(reading) if s.signal == paths.DTC)
    assert events == {"P0301 confirmed": 1, "U0100 confirmed": 1, "P0420 pending": 1}


async def test_drives_and_rests_are_told_and_a_resting_bus_is_never_woken() -> None:
    clock, standing = ManualClock(START_S), standing_car()
    car = quiet_car(standing, clock)
    source = direct_source(car, clock)
    states: list[object] = []
    next_s, is_on = START_S + 300.0, True
    read: list[Reading] = []

    async def turn_the_key() -> None:
        nonlocal next_s, is_on
        while True:
            if clock.now_s() >= next_s:
                is_on, next_s = not is_on, next_s + 300.0
                (standing.turn_on if is_on else standing.turn_off)()
            await asyncio.sleep(0)

    key = asyncio.create_task(turn_the_key())
    reader = asyncio.create_task(read_for(source, clock, 2 * HOUR_S))
    read = await reader
    key.cancel()
    states = [r.value for r in read if r.signal == paths.SYSTEM_STATE]
    changes = [value for n, value in enumerate(states) if n == 0 or states[n - 1] != value]
    assert changes == ["ON", "OFF"] * (len(changes) // 2) + ["ON"] * (len(changes) % 2)
    assert len(changes) >= 20
    assert car.woken == 0


async def test_hours_leave_nothing_behind() -> None:
    clock = ManualClock(START_S)
    car = quiet_car(standing_car(), clock)
    source = direct_source(car, clock)
    sizes = []
    async with contextlib.aclosing(source.readings()) as readings:
        for hours in (0.2, 0.4, 0.6):
            async for _ in readings:
                if clock.now_s() >= START_S + hours * HOUR_S:
                    break
            car.heard.clear()
            for unit in car.units:
                unit.requests.clear()
            gc.collect()
            sizes.append(len(gc.get_objects()))
    assert sizes[2] - sizes[1] < 200
    assert len(asyncio.all_tasks()) == 1


async def test_a_lost_counter_is_asked_for_again() -> None:
    clock, chaos = ManualClock(START_S), BusChaos(Random(3), BusRates(lost=0.15))
    source = direct_source(quiet_car(standing_car(), clock, chaos), clock)
    readings = await read_for(source, clock, 120.0)
    details = [str(r.value) for r in readings if r.signal == paths.DTC_DETAIL]
    assert sorted(details) == [
        "P0301-00 unit engine status 89 occurrences 3 ageing 0",
        "P0420-00 unit engine status 04 occurrences 1 ageing 0",
        "U0100-87 unit cluster status 08",
    ]


@pytest.mark.parametrize("answered", range(45))
async def test_a_bus_that_falls_silent_is_sent_one_frame_more_and_no_other(answered: int) -> None:
    """Wherever the silence begins: among masks, questions, lists of codes, or the counters of a code."""
    clock, standing = ManualClock(START_S), standing_car()
    car = quiet_car(standing, clock)

    def spoil(frame: CanFrame) -> list[CanFrame]:
        return [] if len(car.heard) > answered else [frame]

    car._spoil = spoil
    await read_for_at_most(direct_source(car, clock), clock, 60.0)
    assert len(car.heard) == answered + 1


async def read_for_at_most(source: object, clock: ManualClock, seconds: float) -> None:
    """Read until then, whether something is read or not."""

    async def read() -> None:
        async with contextlib.aclosing(source.readings()) as readings:
            async for _ in readings:
                pass

    task, ends_s = asyncio.create_task(read()), clock.now_s() + seconds
    await until(lambda: clock.now_s() >= ends_s, "the end of the time")
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
