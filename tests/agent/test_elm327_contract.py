"""One suite for every adapter that we can read: elmulator and our own, on TCP and on a pseudo-terminal."""

from __future__ import annotations

import contextlib
from random import Random
from typing import TYPE_CHECKING

import pytest

from milepost_agent import paths
from milepost_agent.sources import open_source
from milepost_simulator.car.chaos import CALM, Chaos
from milepost_simulator.car.ecu import ENGINE_UNIT, TRANSMISSION_UNIT
from milepost_simulator.car.elm327 import Elm327, Timing
from milepost_simulator.car.port import serve_pty, serve_tcp
from milepost_simulator.car.snapshot import Snapshot, TroubleCodes
from milepost_simulator.clock import ManualClock
from support.adapters import bridge_pty, collect_until, has, latest, serve_elmulator
from support.cars import START_S, StandingCar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

VIN = "1C4RJFBG8FC123456"
QUICK = Timing(command_s=0.0, reset_s=0.0, answer_s=0.001, frame_s=0.0, search_s=0.01)
WANTED = (
    paths.RPM,
    paths.SPEED,
    paths.COOLANT,
    paths.VIN,
    paths.DTC_CONFIRMED,
    paths.DTC_PENDING,
    paths.DTC_PERMANENT,
    "Vehicle.Milepost.Engine.Load",
)
EXPECTED = {
    paths.SYSTEM_STATE: "ON",
    paths.RPM: 1726.0,
    paths.SPEED: 0.0,
    paths.COOLANT: 83.0,
    paths.VIN: VIN,
    paths.DTC_CONFIRMED: "P0301",
    paths.DTC_PENDING: "",
    paths.DTC_PERMANENT: "",
    "Vehicle.Milepost.Diagnostics.IsMilOn": True,
    "Vehicle.Diagnostics.DTCCount": 1,
    "Vehicle.Milepost.Engine.Load": pytest.approx(24.7, abs=0.1),
}


@contextlib.asynccontextmanager
async def elmulator_tcp() -> AsyncIterator[str]:
    with serve_elmulator("p0301_basic") as port:
        yield f"tcp://127.0.0.1:{port}"


@contextlib.asynccontextmanager
async def elmulator_pty() -> AsyncIterator[str]:
    with serve_elmulator("p0301_basic") as port:
        async with bridge_pty(port) as path:
            yield path


def simulated(protocol: int) -> Elm327:
    car = StandingCar()
    car.state = Snapshot(
        is_ignition_on=True,
        voltage_v=14.1,
        vin=VIN,
        values={0x0C: 1726.0, 0x0D: 0.0, 0x05: 83.0, 0x04: 24.7},
        codes=TroubleCodes(stored=("P0301",), is_mil_on=True),
    )
    units = (ENGINE_UNIT, TRANSMISSION_UNIT)
    return Elm327(car, ManualClock(START_S), models=units, protocol=protocol, timing=QUICK)


@contextlib.asynccontextmanager
async def simulator_tcp(protocol: int = 6) -> AsyncIterator[str]:
    async with serve_tcp(simulated(protocol), Chaos(Random(1), CALM), "127.0.0.1", 0) as port:
        yield f"tcp://127.0.0.1:{port}"


@contextlib.asynccontextmanager
async def simulator_pty() -> AsyncIterator[str]:
    async with serve_pty(simulated(6), Chaos(Random(1), CALM)) as path:
        yield str(path)


ADAPTERS = {
    "elmulator-tcp": elmulator_tcp,
    "elmulator-pty": elmulator_pty,
    "simulator-tcp": simulator_tcp,
    "simulator-tcp-29-bit": lambda: simulator_tcp(7),
    "simulator-tcp-iso9141": lambda: simulator_tcp(3),
    "simulator-tcp-kwp": lambda: simulator_tcp(5),
    "simulator-pty": simulator_pty,
}


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_reads_the_same_car_through_any_adapter(adapter: str) -> None:
    async with ADAPTERS[adapter]() as port:
        source = open_source({"kind": "elm327", "port": port, "fine_interval_s": 1.0})
        readings = await collect_until(source.readings(), has(*WANTED))
    found = latest(readings)
    assert {signal: found[signal] for signal in EXPECTED} == EXPECTED
    assert readings[0][:2] == (paths.SYSTEM_STATE, "ON")
    times = [reading.mono_s for reading in readings]
    assert times == sorted(times)
    status = source.status()
    assert status["garbled"] == 0
    assert status["connects"] == 1
    assert status["unknown_settings"] == ""
