"""The session with a bus: ignition off, a sleeping bus, lost adapters, bad lines, and hours of it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import can
import psutil
import pytest

from milepost_agent import paths
from milepost_agent.errors import PortError, ReadOnlyError
from milepost_agent.power.limits import PowerLimits
from milepost_agent.sources import open_source
from milepost_agent.sources.can.bus import FRAMES_MAX, BusChoice, CanBus
from milepost_agent.sources.can.gate import Gate, single_frame
from milepost_agent.sources.obd.addresses import FUNCTIONAL, CanId
from milepost_agent.vehicles.library import FOLDER
from milepost_simulator.car.broadcast import BROADCASTS
from milepost_simulator.car.can_car import CanCar
from milepost_simulator.car.can_garage import extended_car
from milepost_simulator.clock import ManualClock
from support.adapters import collect_until, has, latest
from support.can_cars import (
    ODOMETER_M,
    VIN,
    listening_source,
    on_can,
    on_slcan,
    on_virtual,
    quick_source,
    standing_car,
)
from support.cars import START_S
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from milepost_agent.readings import Reading
    from milepost_agent.sources.can.reader import BusReader

GATE = Gate(diagnostics=True)


def states(readings: list[Reading]) -> list[object]:
    """The states that the source told, without those that a listened frame repeats."""
    told = [r.value for r in readings if r.signal == paths.SYSTEM_STATE]
    return [value for n, value in enumerate(told) if n == 0 or told[n - 1] != value]


@contextlib.asynccontextmanager
async def reading(source: BusReader) -> AsyncIterator[list[Reading]]:
    """Read a source all the while; yields what was read so far."""
    read: list[Reading] = []

    async def collect() -> None:
        async with contextlib.aclosing(source.readings()) as readings:
            async for one in readings:
                read.append(one)

    task = asyncio.create_task(collect())
    try:
        yield read
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_ignition_off_ends_the_questions_and_a_sleeping_bus_is_never_woken() -> None:
    standing = standing_car()
    car = on_can(standing)
    async with on_virtual(car) as choice:
        source = quick_source(choice)
        async with reading(source) as read:
            await until(lambda: has(paths.DTC_CONFIRMED)(read), "a car that is read")
            standing.turn_off()
            await until(lambda: source.status()["state"] == "parked", "an end of the questions")
            await until(lambda: source.status()["bus"] == "quiet", "a bus that sleeps")
            assert states(read)[-1] == "OFF"
            asked, pause = len(car.heard), source.status()["readings"]
            await asyncio.sleep(1.0)
            assert len(car.heard) == asked, "a sleeping bus was asked"
            assert source.status()["readings"] == pause
            assert car.woken == 0
            read.clear()
            standing.turn_on()
            again = has(paths.VIN, paths.ODOMETER, paths.SYSTEM_STATE)
            await until(lambda: again(read), "the car again")
    assert states(read)[0] == "ON"
    assert latest(read)[paths.ODOMETER] == ODOMETER_M


async def test_a_bus_on_which_nothing_is_heard_is_asked_only_where_that_is_wanted() -> None:
    standing = standing_car()
    silent = CanCar(standing, ManualClock(START_S), on_can(standing).units)
    async with on_virtual(silent) as choice:
        careful = quick_source(choice, "generic")
        readings = await collect_until(careful.readings(), lambda rs: states(rs) == ["OFF"])
        assert len(readings) == 1
        assert silent.heard == []
        bold = quick_source(choice, "generic", asks_silent_bus=True)
        found = await collect_until(bold.readings(), has(paths.VIN, paths.RPM))
    assert latest(found)[paths.VIN] == VIN


async def test_a_car_whose_engine_stands_is_left_alone_although_it_answers() -> None:
    standing = standing_car()
    standing.set_values({0x0C: 0.0, 0x0D: 0.0})
    car = on_can(standing)
    async with on_virtual(car) as choice:
        source = quick_source(choice, limits=PowerLimits(standing_s_max=0.3, deepest_is_rest=True))
        async with reading(source):
            await until(lambda: source.status()["state"] == "reading", "a car that answers")
            await until(lambda: source.status()["state"] == "parked", "a car left alone")
            asked, heard = len(car.heard), int(source.status()["frames_heard"])
            await until(lambda: int(source.status()["frames_heard"]) > heard + 100, "more traffic")
    assert asked == len(car.heard)


async def test_a_car_without_obd_is_found_by_its_profile() -> None:
    standing = standing_car()
    whole = on_can(standing)
    car = CanCar(standing, ManualClock(START_S), whole.units[2:], BROADCASTS)
    async with on_virtual(car) as choice:
        readings = await collect_until(quick_source(choice).readings(), has(paths.ODOMETER, paths.DTC_DETAIL))
    assert latest(readings)[paths.DTC_DETAIL] == "U0100-87 unit cluster status 08"
    assert "ON" in states(readings)


async def test_the_vin_chooses_among_the_profiles_of_a_folder(tmp_path: Path) -> None:
    for file in FOLDER.glob("example-*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    car = on_can(standing_car())
    async with on_virtual(car) as choice:
        source = quick_source(choice, str(tmp_path))
        assert source.status()["profile"] == "generic"
        readings = await collect_until(
            source.readings(), has(paths.DTC_DETAIL, "Vehicle.Milepost.Engine.OilLife")
        )
    assert source.status()["profile"] == "example-combustion"
    before = [r.signal for r in readings[: [r.signal for r in readings].index(paths.VIN)]]
    assert paths.DTC_DETAIL not in before


async def test_a_listener_tells_when_the_car_falls_asleep_and_wakes() -> None:
    standing = standing_car()
    car = on_can(standing)
    async with on_virtual(car) as choice:
        source = listening_source(choice)
        async with reading(source) as read:
            await until(lambda: has(paths.RPM, paths.SYSTEM_STATE)(read), "a car that is heard")
            standing.turn_off()
            await until(lambda: source.status()["state"] == "parked", "a bus that sleeps")
            assert states(read) == ["ON", "OFF"]
            standing.turn_on()
            await until(lambda: source.status()["state"] == "listening", "a bus that woke")
    assert car.heard == []


async def test_an_adapter_that_is_unplugged_is_read_again() -> None:
    where: list[BusChoice] = []

    async def open_latest(gate: Gate) -> CanBus:
        if not where:
            raise PortError("slcan", "does not open: it is not there")
        return await CanBus.open(where[-1], gate, time.monotonic)

    source = quick_source(open_latest)
    before = open_files()
    task = asyncio.create_task(
        collect_until(source.readings(), lambda rs: has(paths.VIN)(rs) and source.status()["connects"] == 4)
    )
    for lives in range(4):
        async with on_slcan(on_can(standing_car())) as choice:
            where.append(choice)
            await until(lambda: source.status()["connects"] == lives + 1, "a connection")  # noqa: B023
            await until(lambda: task.done() or source.status()["state"] == "reading", "a reading car")
            if lives == 3:
                await task
        where.clear()
    assert int(source.status()["failures"]) >= 3
    assert open_files() <= before


def open_files() -> int:
    return psutil.Process().num_fds()


def bus_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("can-")]


async def test_threads_end_with_the_source_and_do_not_grow() -> None:
    before = {thread.name for thread in threading.enumerate()}
    car = on_can(standing_car())
    async with on_virtual(car) as choice:
        for _ in range(3):
            await collect_until(quick_source(choice).readings(), has(paths.ODOMETER))
            await until(lambda: not bus_threads(), "the end of the threads")
    assert len(asyncio.all_tasks()) == 1
    assert {t.name for t in threading.enumerate()} <= before


async def test_lines_that_are_no_frames_are_counted_and_passed_over() -> None:
    class Broken(can.BusABC):
        """What python-can makes of such lines: errors of all kinds, then a frame, then the end."""

        def __init__(self) -> None:
            self.channel_info = "broken"
            self.raised = [
                ValueError("no hex"),
                UnicodeDecodeError("ascii", b"\xff", 0, 1, "?"),
                IndexError("dlc"),
            ]
            super().__init__("broken")

        def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
            if self.raised:
                raise self.raised.pop()
            raise can.CanOperationError("unplugged")

        def send(self, msg: can.Message, timeout: float | None = None) -> None:
            raise can.CanOperationError("unplugged")

    bus = CanBus(BusChoice("broken", "x"), GATE, time.monotonic)
    broken = Broken()
    bus._read(broken)
    broken.shutdown()
    with pytest.raises(PortError, match="unplugged"):
        await bus.frames(1.0)
    assert bus.counts()["garbled_lines"] == 3


async def drain(bus: CanBus) -> None:
    """What was heard before a loss is given first."""
    while bus._waiting:
        await bus.frames(1.0)


async def test_a_controller_that_left_the_bus_is_an_error_and_error_frames_are_counted() -> None:
    async with on_virtual(on_can(standing_car())) as choice:
        bus = await CanBus.open(choice, GATE, time.monotonic)
        other = can.Bus(interface="virtual", channel=choice.channel)
        try:
            other.send(can.Message(is_error_frame=True, arbitration_id=0x04))
            await until(lambda: bus.counts()["error_frames"] == 1, "the error frame")
            other.send(can.Message(is_error_frame=True, arbitration_id=0x40))
            await until(lambda: bus.counts()["error_frames"] == 2, "the other")
            await drain(bus)
            with pytest.raises(PortError, match="is off"):
                await bus.frames(1.0)
        finally:
            other.shutdown()
            await bus.close()


async def test_frames_that_nobody_takes_are_dropped_and_counted() -> None:
    async with on_virtual(CanCar(standing_car(), ManualClock(START_S), ())) as choice:
        bus = await CanBus.open(choice, GATE, time.monotonic)
        other = can.Bus(interface="virtual", channel=choice.channel)
        try:
            for n in range(FRAMES_MAX + 100):
                other.send(can.Message(arbitration_id=0x100, is_extended_id=False, data=n.to_bytes(4, "big")))
            await until(lambda: bus.counts()["heard"] == FRAMES_MAX + 100, "all frames")
            heard = await bus.frames(1.0)
        finally:
            other.shutdown()
            await bus.close()
    assert len(heard) == FRAMES_MAX
    assert heard[-1].frame.data == (FRAMES_MAX + 99).to_bytes(4, "big")
    assert bus.counts()["dropped"] == 100


async def test_a_frame_that_writes_does_not_reach_the_bus() -> None:
    car = on_can(standing_car())
    async with on_virtual(car) as choice:
        bus = await CanBus.open(choice, GATE, time.monotonic)
        try:
            for target, request in ((FUNCTIONAL, "04"), (CanId(0x7E0), "2EF19001"), (CanId(0x7E0), "1003")):
                with pytest.raises(ReadOnlyError):
                    await bus.send(single_frame(target, bytes.fromhex(request)))
            await bus.send(single_frame(FUNCTIONAL, b"\x03"))
            await until(lambda: car.heard, "the one that reads")
        finally:
            await bus.close()
    assert [frame.data[:2] for frame in car.heard] == [b"\x01\x03"]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"interface": "no-such"}, "interface: 'no-such' is none of"),
        ({"identifiers": "12"}, "identifiers: '12' is none of"),
        ({"profile": "no-such"}, "is unknown; there are"),
        ({"diagnostics": False}, "profile: listening alone needs a profile"),
        ({"dbc": "/nowhere/x.dbc"}, "dbc: /nowhere/x.dbc is no file"),
    ],
)
def test_settings_that_cannot_be_are_said_before_anything_is_opened(
    table: dict[str, object], why: str
) -> None:
    with pytest.raises(Exception, match=why):
        open_source({"kind": "can", "interface": "virtual", "channel": "c", **table})


def test_without_the_extra_the_configuration_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "can" else object())
    with pytest.raises(Exception, match=r"milepost-agent\[can\]"):
        open_source({"kind": "can", "interface": "virtual", "channel": "c"})


async def test_a_bus_that_does_not_open_is_told_and_tried_again(tmp_path: Path) -> None:
    source = quick_source(BusChoice("slcan", str(tmp_path / "ttyNONE")))
    reading = asyncio.ensure_future(anext(source.readings()))
    await until(lambda: int(source.status()["failures"]) >= 3, "three attempts")
    reading.cancel()
    assert "does not open" in str(source.status()["last_error"])


async def test_units_of_an_extended_car_stay_known() -> None:
    car = extended_car(standing_car(), ManualClock(START_S))
    async with on_virtual(car) as choice:
        source = quick_source(choice, "generic", identifiers="29")
        await collect_until(source.readings(), has(paths.VIN, paths.DTC_PERMANENT))
    assert {frame.is_extended for frame in car.heard} == {True}
