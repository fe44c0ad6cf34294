"""The session: what it does when adapters, lines and cars misbehave, and when the ignition goes off."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from milepost_agent import paths
from milepost_agent.backoff import Backoff
from milepost_agent.edge import Edge
from milepost_agent.errors import PortError
from milepost_agent.power.limits import PowerLimits
from milepost_agent.power.permit import Permits, alone
from milepost_agent.sources import open_source
from milepost_agent.sources.elm327.adapter import AdapterTimes
from milepost_agent.sources.elm327.port import port_opener
from milepost_agent.sources.elm327.session import Elm327Source, SessionOptions
from milepost_simulator.car import pids
from milepost_simulator.car.chaos import CALM, WILD, Chaos, ChaosRates
from milepost_simulator.car.elm327 import PROMPTLY, Elm327, Timing
from milepost_simulator.car.port import serve_tcp
from milepost_simulator.car.recorded import RecordedCar, load_drive
from milepost_simulator.clock import ManualClock
from support.adapters import bridge_pty, collect_until, has, latest, serve_elmulator
from support.cars import START_S, VIN, StandingCar
from support.links import Link
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from milepost_agent.readings import Reading

QUICK = Timing(command_s=0.0, reset_s=0.0, answer_s=0.001, frame_s=0.0, search_s=0.01)
TIMES = AdapterTimes(
    reset_s_max=1.0, setting_s_max=0.3, request_s_max=0.3, search_s_max=1.0, quiet_s=0.05, drain_s_max=0.3
)
OPTIONS = SessionOptions(fine_interval_s=0.01, times=TIMES)
QUICK_LOOKS = PowerLimits(rest_look_s=0.02, deepest_is_rest=True)


def quick_source(
    port: str, options: SessionOptions = OPTIONS, limits: PowerLimits = QUICK_LOOKS
) -> Elm327Source:
    source = Elm327Source(port_opener(port, 38_400), Backoff(lambda: 0.0, 0.01, 0.05), options)
    source.obey(alone("elm327", time.monotonic(), limits))
    return source


@contextlib.asynccontextmanager
async def simulated(car: StandingCar, rates: ChaosRates = CALM, seed: int = 1) -> AsyncIterator[str]:
    adapter = Elm327(car, ManualClock(START_S), timing=QUICK)
    async with serve_tcp(adapter, Chaos(Random(seed), rates), "127.0.0.1", 0) as port:
        yield f"tcp://127.0.0.1:{port}"


def states(readings: list[Reading]) -> list[object]:
    return [r.value for r in readings if r.signal == paths.SYSTEM_STATE]


@pytest.mark.parametrize("scenario", ["chunked_stream", "headers_off_echo_on"])
async def test_copies_that_split_and_echo_and_leave_headers_off_read_the_same(scenario: str) -> None:
    with serve_elmulator(scenario) as port:
        source = quick_source(f"tcp://127.0.0.1:{port}")
        readings = await collect_until(source.readings(), has(paths.VIN, paths.DTC_PERMANENT, paths.COOLANT))
    found = latest(readings)
    assert found[paths.VIN] == "1C4RJFBG8FC123456"
    assert found[paths.DTC_CONFIRMED] == ""
    assert found[paths.RPM] == 1726.0
    assert found["Vehicle.Milepost.Diagnostics.IsMilOn"] is False
    assert source.status()["garbled"] == 0


async def told_without_a_reading(source: Elm327Source, trouble: str) -> None:
    """Read until the status tells of ``trouble``; until then nothing may have been read."""
    reading = asyncio.ensure_future(anext(source.readings()))
    try:
        await until(lambda: reading.done() or trouble in str(source.status()["last_error"]), trouble)
        assert not reading.done(), "something was read"
    finally:
        reading.cancel()
        await asyncio.wait([reading])


async def test_garbage_gives_no_readings_and_is_counted() -> None:
    with serve_elmulator("malformed") as port:
        source = quick_source(f"tcp://127.0.0.1:{port}")
        await told_without_a_reading(source, "make no sense")
    assert int(source.status()["garbled"]) > 0
    assert int(source.status()["failures"]) > 0


async def test_a_stalling_adapter_that_hangs_up_is_read_again_and_again() -> None:
    with serve_elmulator("adapter_disconnect") as port:
        source = quick_source(f"tcp://127.0.0.1:{port}")
        readings = await collect_until(source.readings(), lambda readings: states(readings).count("ON") >= 3)
    assert {r.signal for r in readings} >= {"Vehicle.Milepost.Diagnostics.IsMilOn"}
    assert int(source.status()["failures"]) >= 2
    assert "closed by the other side" in str(source.status()["last_error"])


async def test_a_serial_device_that_goes_away_comes_back(tmp_path: object) -> None:
    with serve_elmulator("no_codes_basic") as port:
        paths_seen: list[str] = []

        async with contextlib.AsyncExitStack() as first:
            paths_seen.append(await first.enter_async_context(bridge_pty(port)))

            async def open_latest() -> object:
                return await port_opener(paths_seen[-1], 38_400)()

            source = Elm327Source(open_latest, Backoff(lambda: 0.0, 0.01, 0.05), OPTIONS)
            readings = source.readings()
            async with contextlib.aclosing(readings):
                async for reading in readings:
                    if reading.signal == paths.RPM:
                        break
                await first.aclose()
                async with bridge_pty(port) as second:
                    paths_seen.append(second)
                    again = await collect_until(
                        readings, lambda rs: "ON" in states(rs) and has(paths.RPM)(rs)
                    )
    assert latest(again)[paths.RPM] == 1726.0
    assert int(source.status()["connects"]) == 2


async def test_a_wireless_adapter_that_vanishes_without_a_word_is_read_again() -> None:
    async with simulated(StandingCar()) as port, Link(int(port.rpartition(":")[2])).serving() as link:
        source = quick_source(f"tcp://127.0.0.1:{link.port}")

        def enough(readings: list[Reading]) -> bool:
            link.swallows = paths.RPM in latest(readings) and not source.status()["failures"]
            return states(readings).count("ON") == 2

        task = asyncio.create_task(collect_until(source.readings(), enough))
        await until(lambda: source.status()["failures"], "the loss")
        link.swallows = False
        link.reset()  # its adapter is free for the next connection
        readings = await task
    assert states(readings) == ["ON", "ON"]


async def test_ignition_off_is_told_once_and_then_only_the_battery_is_read() -> None:
    car = StandingCar()
    async with simulated(car) as port:
        source = quick_source(port)
        readings = source.readings()
        async with contextlib.aclosing(readings):
            async for reading in readings:
                if reading.signal == paths.RPM:
                    car.turn_off(voltage_v=12.4)
                if reading == (paths.SYSTEM_STATE, "OFF", reading.mono_s):
                    break
            asked = int(source.status()["requests"])
            parked = [await anext(readings) for _ in range(20)]
            assert {(r.signal, r.value) for r in parked} == {(paths.VOLTAGE, 12.4)}
            assert source.status()["state"] == "parked"
            assert int(source.status()["requests"]) == asked, "a sleeping bus was asked"


async def test_an_adapter_that_shows_too_little_is_put_right() -> None:
    car = StandingCar()
    car.turn_off(voltage_v=12.1)
    async with simulated(car) as port:
        source = quick_source(port, SessionOptions(voltage_offset_v=0.5, times=TIMES))
        readings = await collect_until(source.readings(), has(paths.VOLTAGE))
    assert latest(readings)[paths.VOLTAGE] == pytest.approx(12.6)


async def test_told_to_close_it_lets_the_adapter_draw_little_and_comes_back_when_told() -> None:
    car = StandingCar()
    car.turn_off(voltage_v=12.1)
    limits = PowerLimits(settle_s=0.0, confirm_s=0.0, rest_look_s=0.02, duty_interval_s=0.5)
    adapter = Elm327(car, ManualClock(START_S), timing=QUICK)
    permits = Permits(limits, time.monotonic())
    async with serve_tcp(adapter, Chaos(Random(1), CALM), "127.0.0.1", 0) as port:
        source = quick_source(f"tcp://127.0.0.1:{port}")
        source.obey(permits.permit("elm327"))
        reading = asyncio.ensure_future(collect_until(source.readings(), lambda _: False))
        try:
            await until(lambda: adapter.is_low_power, "low power")
            assert source.status()["state"] == "closed"
            read = source.status()["readings"]
            await asyncio.sleep(limits.duty_interval_s)
            permits.tell(time.monotonic(), lambda _policy, _at_s: None)
            await until(lambda: source.status()["readings"] > read, "a look")
            await until(lambda: adapter.is_low_power, "low power again")
        finally:
            reading.cancel()
            await asyncio.wait([reading])
    assert source.status()["failures"] == 0
    assert source.status()["timeouts"] == 0


@pytest.mark.parametrize("voltage_v", [11.0, 14.2])
async def test_a_cranking_or_charging_battery_brings_the_car_back(voltage_v: float) -> None:
    car = StandingCar()
    car.turn_off(voltage_v=12.4)
    async with simulated(car) as port:
        source = quick_source(port)
        readings = source.readings()
        async with contextlib.aclosing(readings):
            async for reading in readings:
                if reading.signal == paths.VOLTAGE:
                    break
            car.state = car.state._replace(is_ignition_on=True, voltage_v=voltage_v)
            again = await collect_until(readings, has(paths.RPM))
    assert states(again) == ["ON"]


async def test_a_car_whose_engine_stands_for_long_is_left_alone_although_it_answers() -> None:
    car = StandingCar()
    car.set_values({0x0C: 0.0, 0x0D: 0.0})
    async with simulated(car) as port:
        source = quick_source(port, limits=replace(QUICK_LOOKS, standing_s_max=0.2))
        await collect_until(source.readings(), lambda readings: states(readings) == ["ON", "OFF"])
    assert source.status()["state"] == "parked"


@pytest.mark.parametrize("seed", range(3))
async def test_a_wild_line_brings_no_value_that_the_car_did_not_have(seed: int) -> None:
    car = StandingCar()
    wild = ChaosRates(
        **{name: getattr(WILD, name) for name in WILD.__dataclass_fields__ if "delay" not in name}
    )
    async with simulated(car, wild, seed) as port:
        source = quick_source(port)
        readings = await collect_until(source.readings(), lambda readings: len(readings) >= 8)
    truth = {paths.RPM: 1726.0, paths.SPEED: 50.0, paths.VOLTAGE: 12.6, paths.VIN: VIN}
    assert {(r.signal, r.value) for r in readings if r.signal in truth} <= set(truth.items())


async def test_nobody_there_is_told_and_tried_again() -> None:
    tries = 0

    async def open_port() -> object:
        nonlocal tries
        tries += 1
        raise PortError("tcp://127.0.0.1:1", "does not open: nobody there")

    waits: list[float] = []
    backoff = Backoff(lambda: waits.append(0.0) or 0.0, 0.01, 0.02)
    source = Elm327Source(open_port, backoff, OPTIONS)
    reading = asyncio.ensure_future(anext(source.readings()))
    await until(lambda: tries == 4, "four tries")
    reading.cancel()
    assert len(waits) >= 3
    assert source.status()["state"] == "failed"
    assert int(source.status()["failures"]) >= 3


async def test_something_that_is_no_adapter_is_told() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(100):
            writer.write(b"SSH-2.0-OpenSSH\r>")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        source = quick_source(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await told_without_a_reading(source, "check port and baud")


async def test_a_port_that_is_not_there_says_so(tmp_path: object) -> None:
    with pytest.raises(PortError, match="does not open"):
        await port_opener(f"{tmp_path}/ttyNONE", 38_400)()
    with pytest.raises(PortError, match="does not open"):
        await port_opener("tcp://127.0.0.1:1", 38_400)()


async def test_a_serial_device_is_held_alone() -> None:
    with serve_elmulator("no_codes_basic") as port:
        async with bridge_pty(port) as path:
            held = await port_opener(path, 38_400)()
            with pytest.raises(PortError, match="does not open"):
                await port_opener(path, 38_400)()
            await held.close()


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["drive1", "drive5", "live10", "live11", "live12", "live5", "long3", "ufpe3"]
)
async def test_a_real_drive_through_a_port_becomes_its_distance_start_and_trip(data: Path, name: str) -> None:
    """Car and reader share a clock that moves only while the reader sleeps, so no machine is too slow."""
    recorded = load_drive(data / "drives" / f"{name}.csv")
    clock = ManualClock(START_S)

    async def sleep(seconds: float) -> None:
        clock.advance(seconds)

    car = RecordedCar(recorded, VIN, START_S, lead_s=30.0, rest_s=None)
    adapter = Elm327(car, clock, timing=PROMPTLY)
    async with serve_tcp(adapter, Chaos(Random(1), CALM), "127.0.0.1", 0) as port:
        opener = port_opener(f"tcp://127.0.0.1:{port}", 38_400)
        source = Elm327Source(opener, Backoff(lambda: 0.0), clock=clock.now_s, sleep=sleep)
        readings = await collect_until(
            source.readings(), lambda readings: states(readings) == ["OFF", "ON", "OFF"]
        )
    edge = Edge()
    found = latest([sample for reading in readings for sample in edge.feed(reading)])
    assert found[paths.DISTANCE] == pytest.approx(recorded.distance_m(), rel=0.01)
    assert found[paths.ENGINE_HOURS] == pytest.approx(recorded.duration_s / 3600, rel=0.02)
    assert found[paths.STARTS] == found[paths.TRIP_COUNT] == 1
    assert found[paths.COLD_STARTS] == (recorded.rows[0][pids.COOLANT] < 40)
    lowest_v = min(row[pids.VOLTAGE] for row in recorded.rows[:20])
    assert found.get(paths.CRANKING_MINIMUM) == (round(lowest_v, 1) if lowest_v < 11.5 else None)
    assert found[paths.TRIP_IS_ONGOING] is False
    assert found[paths.VIN] == VIN
    assert source.status()["garbled"] == 0


async def test_readings_of_the_configured_source_end_with_their_reader() -> None:
    async with simulated(StandingCar()) as port:
        source = open_source({"kind": "elm327", "port": port})
        await collect_until(source.readings(), has(paths.SPEED))
    assert source.status()["state"] == "reading"
