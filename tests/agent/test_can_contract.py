"""One suite for every bus that we can read: python-can's own, a serial adapter, SocketCAN where it is."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

import pytest

from milepost_agent import paths
from milepost_agent.readings import Reading
from milepost_agent.sources.can.bus import BusChoice
from milepost_simulator.car.can_garage import extended_car
from milepost_simulator.clock import ManualClock
from support.adapters import collect_until, has, latest
from support.can_cars import (
    ODOMETER_M,
    PATIENT,
    VIN,
    listening_source,
    on_can,
    on_slcan,
    on_vcan,
    on_virtual,
    quick_source,
    standing_car,
    vcan_lack,
)
from support.cars import START_S

BUSES = {"virtual": on_virtual, "slcan": on_slcan, "socketcan": on_vcan}
SIMULATOR = (str(Path(sys.executable).with_name("milepost-sim")),)
OIL_LIFE = "Vehicle.Milepost.Engine.OilLife"
PAD = "Vehicle.Chassis.Axle.Row1.Wheel.Left.Brake.PadWear"
SERVICE = "Vehicle.Service.DistanceToService"
BY_OBD = {
    paths.VIN: VIN,
    paths.DTC_PERMANENT: "",
    "Vehicle.Milepost.Diagnostics.IsMilOn": True,
    "Vehicle.Diagnostics.DTCCount": 1,
}
BY_UDS = {
    paths.ODOMETER: ODOMETER_M,
    paths.DTC_CONFIRMED: "P0301 U0100",
    paths.DTC_PENDING: "P0420",
    PAD: 0,
    OIL_LIFE: 100.0,
    SERVICE: 15_000.0,
}
BY_LISTENING = {
    paths.RPM: 1500.0,
    paths.SPEED: 50.0,
    paths.COOLANT: 83.0,
    paths.OIL_TEMPERATURE: pytest.approx(90.0, abs=1.0),
    paths.VOLTAGE: pytest.approx(14.04),
    paths.SYSTEM_STATE: "ON",
}
DETAILS = {
    "P0301-00 unit engine status 89 occurrences 3 ageing 0",
    "P0420-00 unit engine status 04 occurrences 1 ageing 0",
    "U0100-87 unit cluster status 08",
}


@pytest.fixture(params=BUSES)
def serve(request: pytest.FixtureRequest) -> object:
    if request.param == "socketcan" and (lack := vcan_lack()):
        pytest.skip(lack)
    return BUSES[request.param]


async def test_reads_the_same_car_on_any_bus(serve: object) -> None:
    car = on_can(standing_car())
    wanted = has(*BY_OBD, *BY_UDS, *BY_LISTENING)
    async with serve(car) as choice:
        source = quick_source(choice, times=PATIENT)
        readings = await collect_until(
            source.readings(),
            lambda rs: wanted(rs) and {r.value for r in rs if r.signal == paths.DTC_DETAIL} == DETAILS,
        )
    found = latest(readings)
    expected = BY_OBD | BY_UDS | BY_LISTENING
    assert {signal: found[signal] for signal in expected} == expected
    times = [reading.mono_s for reading in readings]
    assert times == sorted(times)
    status = source.status()
    assert status["connects"] == 1
    assert status["garbled"] == status["failures"] == status["frames_dropped"] == 0
    assert int(status["pendings"]) > 0


async def test_what_reached_the_car_only_reads(serve: object) -> None:
    car = on_can(standing_car())
    async with serve(car) as choice:
        await collect_until(
            quick_source(choice, times=PATIENT).readings(), has(*BY_OBD, *BY_UDS, paths.DTC_DETAIL)
        )
    asked = Counter(request[0] for unit in car.units for request in unit.requests)
    assert asked.keys() <= {0x01, 0x03, 0x07, 0x09, 0x0A, 0x19, 0x22}
    assert {frame.number for frame in car.heard} <= {0x7DF, 0x7E0, 0x7E1, 0x720}
    assert {frame.data[0] >> 4 for frame in car.heard} <= {0, 3}
    assert all(len(frame.data) == 8 for frame in car.heard)


async def test_a_listener_sends_nothing(serve: object) -> None:
    car = on_can(standing_car())
    async with serve(car) as choice:
        source, passive = listening_source(choice), set()

        def enough(readings: list[Reading]) -> bool:
            passive.add(source.status()["passive"])
            return has(*BY_LISTENING)(readings)

        readings = await collect_until(source.readings(), enough)
    assert passive == {choice.interface == "slcan"}, "what can be told not to send was told"
    found = latest(readings)
    assert {signal: found[signal] for signal in BY_LISTENING} == BY_LISTENING
    assert car.heard == []
    assert source.status()["frames_sent"] == 0


async def test_finds_units_with_29_bit_identifiers(serve: object) -> None:
    car = extended_car(standing_car(), ManualClock(START_S))
    async with serve(car) as choice:
        source = quick_source(choice, "generic", times=PATIENT)
        readings = await collect_until(source.readings(), has(paths.RPM, paths.VIN, paths.DTC_CONFIRMED))
    found = latest(readings)
    assert found[paths.RPM] == 1500.0
    assert found[paths.VIN] == VIN
    assert found[paths.DTC_CONFIRMED] == "P0301"
    assert {frame.number for frame in car.heard if not frame.is_extended} <= {0x7DF}


async def test_reads_a_car_that_another_process_simulates(tmp_path: Path) -> None:
    link = tmp_path / "can1"
    command = [*SIMULATOR, "car", "--adapter", "slcan", "--pty", str(link), "--seed", "7", "--speed-up", "10"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert b"answers at" in await process.stdout.readline()
        choice = BusChoice("slcan", str(link), options={"sleep_after_open": 0.0})
        readings = await collect_until(
            quick_source(choice, times=PATIENT).readings(), has(paths.VIN, OIL_LIFE, paths.RPM)
        )
    finally:
        process.terminate()
        await process.wait()
    assert str(latest(readings)[paths.VIN]).startswith("XMP")
    assert 0 < latest(readings)[OIL_LIFE] < 100
