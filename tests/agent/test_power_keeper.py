"""The keeper with a real source on a simulated car, in virtual time: each stance, and fast resume."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from milepost_agent import paths
from milepost_agent.power.announcing import EVENT_S, EVENTS_MAX
from milepost_agent.power.gate import Gate
from milepost_agent.power.keeper import PARKED_TICK_S, KeeperLimits
from milepost_agent.power.machine import line_reader, run_command
from milepost_agent.power.stance import Stance
from support.kept import LIMITS, KeptCar
from support.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

AWAKE, RESTING, SAVING, ASLEEP = Stance.AWAKE, Stance.RESTING, Stance.SAVING, Stance.ASLEEP
TIMED = KeeperLimits(False, 3600.0, 120.0, ("rtcwake", "-s", "{seconds}"))
UNTIMED = KeeperLimits(False, 3600.0, 120.0, ("systemctl", "suspend"))
HOUR_S = 3600.0


def kept(story: Callable[[KeptCar], Coroutine[object, object, None]], **choices: object) -> KeptCar:
    """Run ``story`` on a car that is being driven when it begins."""
    cars: list[KeptCar] = []

    async def told() -> None:
        car = KeptCar(**choices)
        cars.append(car)
        async with car.running():
            await car.until(lambda: any(r.signal == paths.RPM for r in car.stored), 10.0)
            assert car.events == [], "nothing has changed yet"
            await story(car)

    in_virtual_time(told())
    return cars[0]


async def fall_asleep(car: KeptCar, volts: float = 11.5) -> None:
    car.park(volts)
    await car.until(lambda: car.stance is ASLEEP, 2 * HOUR_S)
    await car.until(lambda: not car.keeper.link.is_open, 300.0)


def test_parked_it_commits_and_sends_what_is_left_and_then_closes_the_link() -> None:
    async def story(car: KeptCar) -> None:
        car.park()
        await car.until(lambda: car.stance is RESTING, 60.0)
        assert car.stored == [], "nothing waits in memory"
        assert car.events == ["parked"]
        assert car.keeper.link.is_open
        await car.until(lambda: not car.keeper.link.is_open, 10.0)
        requests = car.adapter.bus_requests
        await asyncio.sleep(2 * HOUR_S)
        assert car.adapter.bus_requests == requests, "a sleeping bus was asked"
        assert car.unsent > 0, "the battery was read"
        assert car.source.status()["stance"] == "parked"

    car = kept(story)
    assert [what for _, what in car.links] == ["open", "closed"]


def test_what_is_stored_is_to_be_sent_at_once_with_an_event_and_while_the_link_is_to_close() -> None:
    async def story(car: KeptCar) -> None:
        keeper = car.keeper
        assert not keeper.stored(), "driving, with nothing to tell"
        car.park()
        await car.until(lambda: car.stance is RESTING, 60.0)
        assert keeper.stored()
        assert keeper.stored() is not car.keeper_limits.keeps_link
        car.start()
        await car.until(lambda: car.stance is AWAKE, 60.0)
        assert keeper.stored(), "the event may be in memory still"
        car.flush()
        assert keeper.stored(), "the event"
        assert not keeper.stored()

    kept(story)
    kept(story, keeper_limits=KeeperLimits(True, 3600.0, 120.0))


def test_a_link_that_does_not_come_up_is_given_up_after_a_while() -> None:
    async def story(car: KeptCar) -> None:
        car.park()
        await car.until(lambda: car.stance is RESTING, 60.0)
        assert await car.until(lambda: not car.keeper.link.is_open, 2 * HOUR_S) > 0.9 * HOUR_S

    kept(story, sends_s=1e9)


def test_a_link_that_is_to_be_kept_is_kept_while_resting() -> None:
    async def story(car: KeptCar) -> None:
        car.park()
        await asyncio.sleep(2 * HOUR_S)
        assert car.stance is RESTING
        assert car.keeper.link.is_open

    kept(story, keeper_limits=KeeperLimits(True, 3600.0, 120.0))


def test_a_low_battery_opens_the_link_once_for_the_event_and_closes_all() -> None:
    async def story(car: KeptCar) -> None:
        car.park(12.1)
        await car.until(lambda: car.stance is SAVING, HOUR_S)
        await asyncio.sleep(0.5)
        assert car.keeper.link.is_open
        await car.until(lambda: not car.keeper.link.is_open, 120.0)
        await asyncio.sleep(10.0)
        assert car.adapter.is_low_power
        assert car.source.status()["state"] == "closed"
        opened, requests = car.opened, car.adapter.bus_requests
        await asyncio.sleep(4 * HOUR_S)
        assert car.opened - opened == pytest.approx(4 * HOUR_S / 900.0, abs=1)
        assert car.adapter.bus_requests == requests

    car = kept(story)
    assert car.events == ["parked", "low"]
    assert [what for _, what in car.links] == ["open", "closed", "open", "closed"]


def test_a_keeper_with_nothing_to_do_looks_rarely_until_the_machine_has_slept_once() -> None:
    async def looks_a_second(car: KeptCar) -> float:
        before = car.looks
        await asyncio.sleep(HOUR_S)
        return (car.looks - before) / HOUR_S

    async def story(car: KeptCar) -> None:
        car.park(12.1)
        await car.until(lambda: car.stance is SAVING and not car.keeper.link.is_open, HOUR_S)
        assert await looks_a_second(car) == pytest.approx(1 / PARKED_TICK_S, rel=0.1)
        car.suspend(60.0)
        await car.until(lambda: car.keeper.resumes == 1, PARKED_TICK_S + 61.0)
        await car.until(lambda: car.stance is SAVING, HOUR_S)
        assert await looks_a_second(car) > 1.5, "a machine that sleeps once does so again"

    kept(story)


def test_a_low_battery_without_a_link_closes_it_in_time() -> None:
    async def story(car: KeptCar) -> None:
        car.park(12.1)
        await car.until(lambda: car.stance is SAVING, HOUR_S)
        assert await car.until(lambda: not car.keeper.link.is_open, HOUR_S) == pytest.approx(120.0, abs=3)

    kept(story, sends_s=1e9)


@pytest.mark.parametrize("limits", [TIMED, UNTIMED])
def test_asleep_the_command_comes_last_and_once(limits: KeeperLimits) -> None:
    async def story(car: KeptCar) -> None:
        await fall_asleep(car)
        await car.until(lambda: bool(car.commands), 60.0)
        await asyncio.sleep(120.0)
        assert len(car.commands) == 1 or limits is TIMED

    car = kept(story, keeper_limits=limits)
    assert car.events[-1] == "sleeping"


def test_a_port_that_closes_slowly_is_waited_for() -> None:
    async def story(car: KeptCar) -> None:
        await fall_asleep(car)
        await car.until(lambda: bool(car.commands), 60.0)

    kept(story, keeper_limits=UNTIMED, closes_s=10.0)


def test_a_command_that_knows_when_to_wake_is_run_between_looks_and_its_wake_up_is_none() -> None:
    async def story(car: KeptCar) -> None:
        car.park(12.1)
        await car.until(lambda: len(car.commands) == 5, 6 * HOUR_S)
        assert car.stance is SAVING
        assert car.slept_s > 4 * 850.0
        assert car.keeper.resumes >= 4

    car = kept(story, keeper_limits=TIMED)
    assert car.events == ["parked", "low"]


def test_a_command_that_fails_is_told_and_not_run_again_and_again() -> None:
    async def story(car: KeptCar) -> None:
        await fall_asleep(car)
        await asyncio.sleep(4 * HOUR_S)
        assert len(car.commands) == 1
        assert car.keeper.status()["sleep_error"] == "no permission"

    kept(story, keeper_limits=UNTIMED, command_error="no permission")


def test_woken_the_first_sample_is_stored_within_a_second_and_the_car_follows() -> None:
    async def story(car: KeptCar) -> None:
        await fall_asleep(car)
        await car.until(lambda: bool(car.commands), 60.0)
        await asyncio.sleep(1.0)
        car.suspend(5 * HOUR_S)
        car.start()
        woken_s, before = car.mono_s(), len(car.committed)
        await car.until(lambda: len(car.committed) > before, 10.0)
        assert car.committed[before][0] - woken_s <= 1.0
        assert car.committed[before][1].value == "driving"
        assert car.stance is AWAKE
        assert car.keeper.link.is_open
        await car.until(lambda: any(r.signal == paths.RPM for r in car.stored), 10.0)
        assert car.committed[before + 1][1].signal in (paths.SYSTEM_STATE, paths.VOLTAGE)

    car = kept(story, keeper_limits=UNTIMED)
    assert car.keeper.resumes == 1


def test_a_wake_up_for_nothing_asks_once_and_the_machine_sleeps_again() -> None:
    async def story(car: KeptCar) -> None:
        await fall_asleep(car)
        for night in range(1, 4):
            await car.until(lambda night=night: len(car.commands) == night, 300.0)
            await asyncio.sleep(1.0)
            requests = car.adapter.bus_requests
            car.suspend(5 * HOUR_S)
            await asyncio.sleep(1.0)
            await car.until(lambda: car.stance is ASLEEP, 60.0)
            assert 1 <= car.adapter.bus_requests - requests <= 3

    kept(story, keeper_limits=UNTIMED)


def test_the_ignition_line_wakes_within_a_second() -> None:
    async def story(car: KeptCar) -> None:
        car.line = False
        await fall_asleep(car)
        before = len(car.committed)
        car.line = True
        assert await car.until(lambda: len(car.committed) > before, 5.0) <= 1.0
        assert car.stance is AWAKE

    kept(story)


def test_a_battery_that_is_charged_again_wakes_it_at_the_next_look() -> None:
    async def story(car: KeptCar) -> None:
        await fall_asleep(car)
        car.start()
        assert await car.until(lambda: car.stance is AWAKE, HOUR_S) < 905.0
        await car.until(lambda: car.events[-1] == "driving", 1.0)

    kept(story)


def test_a_battery_that_recovers_by_itself_is_told_and_the_link_closed_again() -> None:
    async def story(car: KeptCar) -> None:
        await fall_asleep(car)
        car.park(12.7)
        await car.until(lambda: car.stance is RESTING, HOUR_S)
        await car.until(lambda: car.keeper.link.is_open, 1.0)
        await car.until(lambda: not car.keeper.link.is_open, 10.0)
        assert car.stored == [], "nothing waits in memory"

    car = kept(story)
    assert car.events[-2:] == ["sleeping", "parked"]
    assert [what for _, what in car.links][-4:] == ["open", "closed", "open", "closed"]


def test_a_flapping_key_is_told_a_bounded_number_of_times_and_rightly_in_the_end() -> None:
    async def story(car: KeptCar) -> None:
        car.car.set_values({0x0C: 0.0, 0x0D: 0.0})
        for _ in range(60):
            car.line = not car.line
            await asyncio.sleep(20.0)
            assert car.stance is AWAKE or not car.stored, "nothing waits in memory, told or not"
        assert len(car.events) <= EVENTS_MAX + 60 * 20.0 / EVENT_S + 1
        assert car.keeper.status()["events_withheld"] > 10
        car.line = False
        car.park()
        await asyncio.sleep(2 * EVENT_S)
        assert car.events[-1] == "parked"

    kept(story)


def test_a_look_that_finds_no_adapter_ends_and_the_next_one_comes() -> None:
    async def story(car: KeptCar) -> None:
        car.park(12.1)
        await car.until(lambda: car.stance is SAVING, HOUR_S)
        await car.until(lambda: not car.keeper.link.is_open, 200.0)

        async def unplugged() -> object:
            car.opened += 1
            await asyncio.sleep(1e9)

        car.source._open_port = unplugged
        opened = car.opened
        await asyncio.sleep(2 * HOUR_S)
        assert car.opened > opened
        assert car.stance is SAVING

    kept(story, limits=replace(LIMITS, duty_interval_s=300.0))


@pytest.mark.parametrize(("told", "events"), [("sleeping", ["driving"]), ("driving", []), ("?", [])])
def test_what_was_told_before_a_restart_is_told_anew_where_it_is_no_longer_so(
    told: str, events: list[str]
) -> None:
    async def told_before() -> None:
        car = KeptCar()
        car.keeper.take_up(told)
        async with car.running():
            await car.until(lambda: any(r.signal == paths.RPM for r in car.stored), 10.0)
            assert car.events == events

    in_virtual_time(told_before())


async def test_a_gate_ends_its_job_and_begins_it_again() -> None:
    gate, runs = Gate(), []

    async def job() -> None:
        runs.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            runs.append("ended")

    task = asyncio.ensure_future(gate.run(job))
    for is_open in (True, False, True):
        gate.set(is_open=is_open)
        await asyncio.sleep(0.01)
    assert runs == ["begun", "ended", "begun"]
    task.cancel()
    await asyncio.wait([task])
    assert runs[-1] == "ended"


async def test_a_gate_gives_what_its_job_raises() -> None:
    async def job() -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await Gate().run(job)


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ((sys.executable, "-c", "import sys; sys.exit(sys.argv[1] != '90')", "{seconds}"), ""),
        ((sys.executable, "-c", "raise SystemExit(3)"), "ended with status 3"),
        (("no-such-program", "$(touch x)"), "does not start"),
    ],
)
async def test_a_command_is_run_without_a_shell(command: tuple[str, ...], error: str) -> None:
    assert error in await run_command(command, 89.9)


@pytest.mark.parametrize(("text", "state"), [("1\n", True), ("0", False), ("", None), ("on", None)])
def test_a_line_is_what_its_file_reads(tmp_path: Path, text: str, state: bool | None) -> None:
    (tmp_path / "value").write_text(text)
    assert line_reader(str(tmp_path / "value"))() is state
    assert line_reader(str(tmp_path / "none"))() is None
    assert line_reader("")() is None
