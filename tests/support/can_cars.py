"""Cars on CAN for tests: on python-can's virtual bus, behind a serial adapter, or on SocketCAN."""

from __future__ import annotations

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
from milepost_agent.sources.can.bus import BusChoice, CanBus
from milepost_agent.sources.can.conversation import Limits
from milepost_agent.sources.can.exchange import ExchangeTimes
from milepost_agent.sources.can.listening import open_listener
from milepost_agent.sources.can.reader import ListeningSource, Surroundings
from milepost_agent.sources.can.session import AskingOptions, CanSource
from milepost_agent.vehicles import open_library
from milepost_simulator.car.can_garage import example_car
from milepost_simulator.car.can_port import serve_bus, serve_slcan
from milepost_simulator.car.snapshot import Snapshot, TroubleCodes
from milepost_simulator.clock import ManualClock
from support.cars import START_S, StandingCar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from milepost_agent.sources.can.gate import Gate
    from milepost_simulator.car.can_car import CanCar

VIN = "XMPC0000000000042"
ODOMETER_M = 48_218_900
PROFILE = "example-combustion"
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
) -> CanSource:
    """A source that asks, and does not wait for long."""
    talk = Limits(identifiers=identifiers, asks_silent_bus=asks_silent_bus, times=TIMES)
    source = CanSource(surroundings(choice, profile), AskingOptions(quiet_s, talk))
    source.obey(alone("can", time.monotonic(), limits or PowerLimits(deepest_is_rest=True)))
    return source


def listening_source(choice: BusChoice, profile: str = PROFILE, quiet_s: float = 0.5) -> ListeningSource:
    """A source that only listens."""
    return ListeningSource(surroundings(choice, profile), quiet_s)
