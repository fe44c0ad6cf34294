"""A keeper with a real ELM327 source on a simulated car, in virtual time, on a machine that can sleep."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from milepost_agent.backoff import Backoff
from milepost_agent.clock import BUILT_MS, ClockReading
from milepost_agent.power.keeper import Hands, Keeper, KeeperLimits
from milepost_agent.power.limits import PowerLimits
from milepost_agent.power.stance import Stance
from milepost_agent.sources.elm327.session import Elm327Source
from milepost_protocol.samples import TimeTrust
from milepost_simulator.car.elm327 import Elm327
from support.cars import START_S, StandingCar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milepost_agent.readings import Reading

NAME = "elm327"
LIMITS = replace(PowerLimits(), rest_look_s=5.0)
DRIVING = {0x0C: 1726.0, 0x0D: 50.0}


class VirtualPort:
    """A port to a simulated adapter, whose answers take their time."""

    def __init__(self, adapter: Elm327, closes_s: float, on_closed: Callable[[VirtualPort], None]) -> None:
        self._adapter = adapter
        self._closes_s = closes_s
        self._on_closed = on_closed
        self._waiting: deque[bytes] = deque()
        self._said = asyncio.Event()

    async def read(self) -> bytes:
        """What was answered, as soon as there is something."""
        await self._said.wait()
        self._said.clear()
        data = b"".join(self._waiting)
        self._waiting.clear()
        return data

    async def write(self, data: bytes) -> None:
        """Ask."""
        for output in self._adapter.feed(data):
            await asyncio.sleep(output.delay_s)
            self._waiting.append(output.data)
        if self._waiting:
            self._said.set()

    async def close(self) -> None:
        """Close, in its own time."""
        await asyncio.sleep(self._closes_s)
        self._on_closed(self)


@dataclass
class KeptCar:
    """All that a keeper keeps, and what it did; ``stored`` is in memory, ``committed`` on disk."""

    limits: PowerLimits = LIMITS
    keeper_limits: KeeperLimits = field(default_factory=lambda: KeeperLimits(False, 3600.0, 120.0))
    slept_s: float = 0.0
    line: bool | None = None
    sends_s: float = 1.0
    closes_s: float = 0.0
    command_error: str = ""
    stored: list[Reading] = field(default_factory=list)
    committed: list[tuple[float, Reading]] = field(default_factory=list)
    unsent: int = 0
    commands: list[tuple[float, tuple[str, ...], float]] = field(default_factory=list)
    links: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.car = StandingCar()
        self.car.set_values(DRIVING)
        self.car.state = self.car.state._replace(voltage_v=14.1)
        self.adapter = Elm327(self.car, self)
        self.opened = 0
        self.looks = 0
        self.ports: list[VirtualPort] = []
        hands = Hands(self.clock, self.stored.append, self.flush, lambda: len(self.stored), self._unsent)
        self.keeper = Keeper(self.limits, self.keeper_limits, hands, self._read_line, self._sleep)
        self.source = Elm327Source(self._open, Backoff(lambda: 0.0, 0.1, 1.0), clock=self.mono_s)
        self.source.obey(self.keeper.permit(NAME))

    def _read_line(self) -> bool | None:
        self.looks += 1
        return self.line

    def mono_s(self) -> float:
        """The monotonic clock, which stands still while the machine sleeps."""
        return asyncio.get_running_loop().time()

    def now_s(self) -> float:
        """The time in the car."""
        return START_S + self.mono_s() + self.slept_s

    def clock(self) -> ClockReading:
        """All clocks."""
        mono_s = self.mono_s()
        since_boot_ms = round((mono_s + self.slept_s) * 1000)
        return ClockReading(BUILT_MS + since_boot_ms, mono_s, BUILT_MS, TimeTrust.SYNCED, "boot")

    @property
    def stance(self) -> Stance:
        return self.keeper.stance

    @property
    def events(self) -> list[object]:
        """The stances that were told and committed."""
        return [r.value for _, r in self.committed if r.signal == "Vehicle.Milepost.Power.State"]

    def flush(self) -> None:
        """Commit at once."""
        self.committed += [(self.mono_s(), reading) for reading in self.stored]
        self.unsent += len(self.stored)
        self.stored.clear()

    def suspend(self, seconds: float) -> None:
        """The machine sleeps: time passes that its monotonic clock does not see."""
        self.slept_s += seconds

    def park(self, voltage_v: float = 12.6) -> None:
        """Ignition off."""
        self.car.turn_off(voltage_v)

    def start(self) -> None:
        """The engine runs."""
        self.car.state = self.car.state._replace(is_ignition_on=True, voltage_v=14.1)

    @contextlib.asynccontextmanager
    async def running(self) -> object:
        """Keeper, source and uplink at work."""
        tasks = [
            asyncio.ensure_future(work)
            for work in (self.keeper.run(), self.keeper.link.run(self._link), self._read())
        ]
        try:
            yield
            for task in tasks:
                assert not task.done(), task.exception()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def until(self, condition: Callable[[], bool], s_max: float) -> float:
        """Wait for ``condition``; the virtual seconds that it took."""
        began_s = self.mono_s() + self.slept_s
        while not condition():
            assert self.mono_s() + self.slept_s - began_s < s_max, f"not within {s_max:g} s"
            await asyncio.sleep(0.1)
        return self.mono_s() + self.slept_s - began_s

    async def _open(self) -> VirtualPort:
        self.opened += 1
        port = VirtualPort(self.adapter, self.closes_s, self.ports.remove)
        self.ports.append(port)
        return port

    async def _read(self) -> None:
        async with contextlib.aclosing(self.source.readings()) as readings:
            async for reading in readings:
                self.stored.append(reading)
                self.keeper.gathered()

    async def _link(self) -> None:
        self.links.append((self.mono_s(), "open"))
        try:
            while True:
                await asyncio.sleep(self.sends_s)
                self.unsent = 0
        finally:
            self.links.append((self.mono_s(), "closed"))

    async def _unsent(self) -> int | None:
        return self.unsent + len(self.stored)

    async def _sleep(self, command: Sequence[str], seconds: float) -> str:
        self.commands.append((self.mono_s(), tuple(command), seconds))
        assert not self.stored, "samples wait in memory"
        assert self.adapter.is_low_power
        assert self.links[-1][1] == "closed"
        assert not self.ports
        if not self.command_error and "{seconds}" in command:
            self.suspend(seconds)
        return self.command_error
