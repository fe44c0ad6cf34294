"""The real agent in a parked car whose battery falls: what reaches server, bus, adapter and machine."""

from __future__ import annotations

import contextlib
import sys
from random import Random
from typing import TYPE_CHECKING

from milepost_simulator.car.chaos import CALM, Chaos
from milepost_simulator.car.elm327 import Elm327, Timing
from milepost_simulator.car.port import serve_tcp
from milepost_simulator.clock import ManualClock
from support.agents import AgentProcess
from support.cars import START_S, StandingCar
from support.device_spy import DeviceSpy, desired
from support.mosquitto import Mosquitto, mosquitto
from support.receipts import ReceiptGiver
from support.stores import DEVICE
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["mosquitto"]

POWER_STATE = "Vehicle.Milepost.Power.State"
QUICK = Timing(command_s=0.0, reset_s=0.01, answer_s=0.001, frame_s=0.0, search_s=0.01)
HASTE = {
    **{"settle_s": 0.5, "confirm_s": 0.5, "rest_look_s": 0.05},
    **{"duty_interval_s": 1.0, "sleep_look_s": 1.0, "event_s_max": 20.0},
}


class QuietCar(StandingCar):
    """A car that is driven until it is parked."""

    def __init__(self) -> None:
        super().__init__()
        self.drive()

    def drive(self) -> None:
        """The engine runs, the generator charges."""
        self.turn_on()
        self.state = self.state._replace(voltage_v=14.1)


@contextlib.asynccontextmanager
async def adapter_in(car: StandingCar) -> AsyncIterator[tuple[Elm327, str]]:
    adapter = Elm327(car, ManualClock(START_S), timing=QUICK)
    async with serve_tcp(adapter, Chaos(Random(1), CALM), "127.0.0.1", 0) as port:
        yield adapter, f"tcp://127.0.0.1:{port}"


async def test_a_parked_car_with_a_falling_battery(tmp_path: Path, mosquitto: Mosquitto) -> None:
    car = QuietCar()
    slept = tmp_path / "slept"
    touch = [sys.executable, "-c", "import sys; open(sys.argv[1], 'a').write('x')", str(slept)]
    async with adapter_in(car) as (adapter, port), ReceiptGiver(mosquitto.port) as server:
        source = {"kind": "elm327", "port": port}
        agent = AgentProcess(
            tmp_path,
            mosquitto.port,
            {
                "source": [source],
                "power": HASTE | {"sleep_command": touch},
                "uplink": {"batch_wait_s": 86_400.0, "batch_samples_min": 4096},
            },
        )
        agent.start()
        try:
            await until(lambda: agent.status()["power"]["reason"] == "the engine runs", "a drive")
            epoch = agent.status()["buffer"]["epoch"]

            def told() -> list[object]:
                samples = server.of(DEVICE, epoch).samples
                return [samples[seq].value for seq in sorted(samples) if samples[seq].signal == POWER_STATE]

            def connects() -> int:
                return agent.status()["sources"]["elm327"]["connects"]

            car.turn_off(12.3)
            await until(lambda: told() == ["parked"], "the event of parking")
            await until(lambda: not agent.status()["uplink"]["is_connected"], "the end of the connection")
            asked = adapter.bus_requests
            assert agent.status()["samples"]["in_memory"] == 0

            car.turn_off(12.1)
            await until(lambda: told() == ["parked", "low"], "the event of a low battery")
            await until(lambda: adapter.is_low_power, "an adapter that draws little")
            assert not slept.exists(), "this command would not wake it for the next look"

            for volts in (11.9, 11.7):  # slowly: a step would be taken for the starter's
                looked = connects()
                await until(lambda looked=looked: connects() > looked, "a look")
                car.turn_off(volts)
            await until(lambda: told() == ["parked", "low", "sleeping"], "the event of sleep")
            await until(slept.exists, "the command that puts the machine to sleep")
            status = agent.status()
            assert status["power"]["stance"] == status["sources"]["elm327"]["stance"] == "sleeping"
            assert "below 11.8 V" in status["power"]["reason"]
            assert not status["uplink"]["is_connected"]
            assert status["samples"]["in_memory"] == 0
            looked = connects()
            await until(lambda: connects() > looked, "another look")
            assert adapter.bus_requests == asked, "a sleeping bus was asked"
            assert slept.read_text() == "x", "once for each time it falls asleep"

            car.drive()
            await until(lambda: told() == ["parked", "low", "sleeping", "driving"], "the next drive")
            assert adapter.bus_requests > asked
            assert not server.of(DEVICE, epoch).lost
            assert agent.stop() == 0
        finally:
            agent.kill()


async def test_after_a_start_the_first_sample_of_the_car_does_not_wait_for_the_commit_interval(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with adapter_in(QuietCar()) as (_, port):
        agent = AgentProcess(
            tmp_path,
            mosquitto.port,
            {"source": [{"kind": "elm327", "port": port}], "buffer": {"commit_interval_s": 3600.0}},
        )
        agent.start()
        try:
            await until(lambda: agent.status()["buffer"]["stored_seq"] > 0, "the first sample on disk")
        finally:
            agent.kill()


async def test_a_parked_car_that_is_configured_from_afar_is_left_alone_and_says_what_is_in_force(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    car = QuietCar()
    server, listener = ReceiptGiver(mosquitto.port), DeviceSpy(mosquitto.port, DEVICE)
    async with adapter_in(car) as (adapter, port), server, listener as spy:
        agent = AgentProcess(
            tmp_path,
            mosquitto.port,
            {"source": [{"kind": "elm327", "port": port}], "power": {"rest_link": "keep"}},
        )
        agent.start()
        try:
            await until(lambda: agent.status()["power"]["reason"] == "the engine runs", "a drive")
            car.turn_off(12.6)
            await until(lambda: agent.status()["power"]["stance"] == "parked", "a parked car")
            asked = adapter.bus_requests
            await spy.desire(desired(7, {"power": {"rest_link": "close"}}))
            await spy.online(revision=7)
            await spy.offline("sleep")
            power = agent.status()["power"]
            assert (power["stance"], power["reason"], power["link"]) == ("parked", "nobody answers", "closed")
            assert spy.reports[-1]["revision"] == 7
            connects = agent.status()["sources"]["elm327"]["connects"]
            await until(lambda: agent.status()["sources"]["elm327"]["readings"] > 0, "a look at the battery")
            assert connects == 1
            assert adapter.bus_requests == asked, "a parked car was asked"
        finally:
            agent.kill()
