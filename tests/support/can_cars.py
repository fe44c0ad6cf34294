"""Cars on CAN for tests: on python-can's virtual bus, behind a serial adapter, or on SocketCAN."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import subprocess
import time
from random import Random
from typing import TYPE_CHECKING

import can

from milepost_agent.backoff import Backoff
from milepost_agent.power.limits import PowerLimits
from milepost_agent.power.permit import alone
from milepost_agent.sources.can.bus import BusChoice, CanBus, Heard
from milepost_agent.sources.can.conversation import Limits
from milepost_agent.sources.can.exchange import ExchangeTimes
from milepost_agent.sources.can.gate import Frame
from milepost_agent.sources.can.listening import open_listener
from milepost_agent.sources.can.reader import ListeningSource, Surroundings
from milepost_agent.sources.can.session import AskingOptions, CanSource
from milepost_agent.sources.obd.addresses import OBD_EXTENDED, OBD_STANDARD, CanId
from milepost_agent.vehicles import open_library
from milepost_simulator.car.can_garage import example_car
from milepost_simulator.car.can_port import serve_bus, serve_slcan
from milepost_simulator.car.can_unit import CanFrame
from milepost_simulator.car.snapshot import Snapshot, TroubleCodes
from milepost_simulator.clock import ManualClock
from support.cars import START_S, StandingCar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

    from milepost_agent.sources.can.gate import Gate
    from milepost_simulator.car.can_car import CanCar

VIN = "XMPC0000000000042"
ODOMETER_M = 48_218_900
PROFILE = "example-combustion"
PATIENT = ExchangeTimes(answer_s_max=2.0, others_s_max=0.1, frame_s_max=3.0, pending_s_max=5.0)
"""For tests in which everybody answers, on a machine that may be slow."""
TIMES = ExchangeTimes(answer_s_max=0.5, others_s_max=0.05, frame_s_max=0.5, pending_s_max=2.0)
_channels = itertools.count()


def standing_car() -> StandingCar:
    """A car on whose bus something is said: engine running, a confirmed code and a pending one."""
    car = StandingCar()
    car.state = Snapshot(
        is_ignition_on=True,
        voltage_v=14.0,
        vin=VIN,
        values={0x0C: 1500.0, 0x0D: 50.0, 0x05: 83.0, 0x5C: 90.0, 0x42: 14.04, 0xA6: ODOMETER_M / 1000},
        codes=TroubleCodes(stored=("P0301",), pending=("P0420",), is_mil_on=True),
    )
    return car


def on_can(car: StandingCar, chaos: str = "none", seed: int = 1) -> CanCar:
    """That car, with the units and frames of the example profile."""
    return example_car(car, ManualClock(START_S), Random(seed), chaos=chaos)


@contextlib.asynccontextmanager
async def on_virtual(car: CanCar) -> AsyncIterator[BusChoice]:
    """On python-can's bus within this process."""
    channel = f"test-{os.getpid()}-{next(_channels)}"
    async with serve_bus(car, can.Bus(interface="virtual", channel=channel)):
        yield BusChoice("virtual", channel)


@contextlib.asynccontextmanager
async def on_slcan(car: CanCar) -> AsyncIterator[BusChoice]:
    """Behind a serial adapter on a pseudo-terminal."""
    async with serve_slcan(car) as path:
        yield BusChoice("slcan", str(path), options={"sleep_after_open": 0.0})


@contextlib.asynccontextmanager
async def on_vcan(car: CanCar) -> AsyncIterator[BusChoice]:
    """On a virtual SocketCAN interface, where the kernel has them; see ``vcan_lack``."""
    with vcan() as name:
        async with serve_bus(car, can.Bus(interface="socketcan", channel=name)):
            yield BusChoice("socketcan", name)


@contextlib.contextmanager
def vcan() -> Iterator[str]:
    """A virtual SocketCAN interface; yields its name."""
    name = f"vcan{os.getpid() % 100_000}"
    subprocess.run(["ip", "link", "add", name, "type", "vcan"], check=True)
    try:
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "link", "delete", name], check=True)


def vcan_lack() -> str:
    """Why there is no virtual SocketCAN interface on this machine; "" where there is."""
    name = f"vcan{os.getpid() % 100_000}"
    try:
        made = subprocess.run(
            ["ip", "link", "add", name, "type", "vcan"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        return str(error)
    if made.returncode == 0:
        subprocess.run(["ip", "link", "delete", name], check=True)
        return ""
    return f"no vcan interface: {made.stderr.strip()}"


def surroundings(
    open_bus: BusChoice | Callable[[Gate], object], profile: str = PROFILE, **more: object
) -> Surroundings:
    """What a quick source works with, on that bus."""
    if isinstance(open_bus, BusChoice):
        choice = open_bus
        return surroundings(lambda gate: CanBus.open(choice, gate, time.monotonic), profile, **more)
    library = open_library(profile)
    backoff = Backoff(lambda: 0.0, 0.01, 0.05)
    return Surroundings(open_bus, library, lambda p: open_listener(p, []), backoff, **more)  # type: ignore[arg-type]


def quick_source(
    choice: BusChoice | Callable[[Gate], object],
    profile: str = PROFILE,
    *,
    limits: PowerLimits | None = None,
    quiet_s: float = 0.5,
    asks_silent_bus: bool = False,
    identifiers: str = "auto",
    times: ExchangeTimes = TIMES,
) -> CanSource:
    """A source that asks, and does not wait for long."""
    talk = Limits(identifiers=identifiers, asks_silent_bus=asks_silent_bus, times=times)
    source = CanSource(surroundings(choice, profile), AskingOptions(quiet_s, talk))
    source.obey(alone("can", time.monotonic(), limits or PowerLimits(deepest_is_rest=True)))
    return source


def listening_source(choice: BusChoice, profile: str = PROFILE, quiet_s: float = 0.5) -> ListeningSource:
    """A source that only listens."""
    return ListeningSource(surroundings(choice, profile), quiet_s)


class DirectBus:
    """A bus without adapter and threads, on which time moves only while somebody waits: hours in a second."""

    def __init__(self, car: CanCar, clock: ManualClock, gate: Gate) -> None:
        self.gate = gate
        self.is_passive = False
        self._car = car
        self._clock = clock
        self._ids: frozenset[CanId] | None = None
        self.counted = {"heard": 0, "sent": 0}

    async def frames(self, wait_s: float) -> list[Heard]:
        await asyncio.sleep(0)
        ends_s = self._clock.now_s() + wait_s
        while True:
            now_s = self._clock.now_s()
            said = [Frame(CanId(f.number, f.is_extended), f.data) for f in self._car.due(now_s)]
            heard = [Heard(frame, now_s) for frame in said if self._is_wanted(frame.id)]
            self.counted["heard"] += len(heard)
            if heard or now_s >= ends_s:
                return heard
            self._clock.advance(max(0.0, min(self._car.next_s(), ends_s) - now_s) + 1e-4)

    def _is_wanted(self, one: CanId) -> bool:
        is_answer = one in OBD_STANDARD or one in OBD_EXTENDED
        return self._ids is None or one in self._ids or is_answer

    async def send(self, frame: Frame) -> None:
        self.gate.check(frame)
        self.counted["sent"] += 1
        self._car.hear(CanFrame(frame.id.number, frame.id.is_extended, frame.data), self._clock.now_s())

    def hear_only(self, ids: Iterable[CanId] | None) -> None:
        self._ids = None if ids is None else frozenset(ids)

    def counts(self) -> Mapping[str, int]:
        return self.counted

    async def close(self) -> None:
        """Nothing to let go of."""


def direct_source(car: CanCar, clock: ManualClock, profile: str = PROFILE) -> CanSource:
    """A source with the limits of every day on a ``DirectBus``, in the time of ``clock``."""

    async def open_bus(gate: Gate) -> DirectBus:
        return DirectBus(car, clock, gate)

    async def sleep(seconds: float) -> None:
        clock.advance(seconds)
        await asyncio.sleep(0)

    source = CanSource(surroundings(open_bus, profile, clock=clock.now_s, sleep=sleep))
    source.obey(alone("can", clock.now_s()))
    return source
