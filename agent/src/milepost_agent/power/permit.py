"""What one source may do now, and where it says what it met: the line between sources and the power policy.

A source that asks a bus is handed its permit (``AskingSource``) and obeys: it asks while ``may_ask``
holds, else it looks at the battery every ``look_interval_s``, and its port is open only while ``is_open``. It
tells each reading, and whether the bus answers. All other sources know nothing of permits.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from milepost_agent import paths
from milepost_agent.power.limits import PowerLimits
from milepost_agent.power.policy import PowerPolicy
from milepost_agent.readings import Source

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from milepost_agent.power.stance import Stance
    from milepost_agent.readings import Reading

NOT_USE = frozenset({paths.SYSTEM_STATE, paths.VOLTAGE})
"""What a source may tell of a car that is left alone."""


@runtime_checkable
class AskingSource(Source, Protocol):
    """A source that puts requests on a bus, and obeys its permit to do so."""

    def obey(self, permit: BusPermit) -> None:
        """Take the permit up, before any reading is asked for."""
        ...


class BusPermit:
    """The permit of one source. All times are those of the clock that its readings carry, in seconds."""

    def __init__(self, permits: Permits, name: str) -> None:
        self._permits = permits
        self._name = name
        self._changed = asyncio.Event()
        self.is_idle = False
        """Whether the source waits for its port to be open again: it has closed it."""
        self._was = (self.may_ask, self.is_open)

    @property
    def may_ask(self) -> bool:
        """Whether requests may go onto the bus."""
        return self._permits.policy.may_ask(self._name)

    @property
    def is_open(self) -> bool:
        """Whether the port may be open; else it is closed, and the adapter told to draw little."""
        return self._permits.policy.is_open(self._name)

    @property
    def look_interval_s(self) -> float:
        """How long to wait between two looks at the battery that leave the bus alone."""
        return self._permits.policy.look_interval_s()

    @property
    def stance(self) -> Stance:
        """The stance of the whole agent, for the status of the source."""
        return self._permits.policy.stance

    def feed(self, reading: Reading) -> None:
        """Tell a reading of this source, before it is given out."""
        self._permits.feed(self._name, reading)

    def no_voltage(self, mono_s: float) -> None:
        """Tell that the voltmeter of this source was looked at and cannot tell."""
        self._permits.tell(mono_s, lambda policy, at_s: policy.voltage(self._name, None, at_s))

    def answered(self, mono_s: float) -> None:
        """Tell that the bus answers."""
        self._permits.tell(mono_s, lambda policy, at_s: policy.answered(self._name, at_s))

    def silent(self, mono_s: float) -> None:
        """Tell that nobody answers, or nobody any more; from now on the bus is left alone."""
        self._permits.tell(mono_s, lambda policy, at_s: policy.silent(self._name, at_s))

    def traffic(self, mono_s: float) -> None:
        """Tell that something was heard on the bus that this source had not asked for."""
        self._permits.tell(mono_s, lambda policy, at_s: policy.traffic(self._name, at_s))

    def hint(self, mono_s: float) -> None:
        """Tell that the bus shows what that of a car in use would: much more traffic than before."""
        self._permits.tell(mono_s, lambda policy, at_s: policy.hint(self._name, at_s))

    def busy(self, mono_s: float) -> None:
        """Tell that the bus still carries traffic, although it is left alone."""
        self._permits.tell(mono_s, lambda policy, at_s: policy.busy(self._name, at_s))

    async def wait(self, seconds: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Wait for so long, or until what is permitted changes."""
        self._changed.clear()
        waits = (asyncio.ensure_future(sleep(seconds)), asyncio.ensure_future(self._changed.wait()))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def opened(self) -> None:
        """Wait until the port may be open."""
        while not self.is_open:
            self._changed.clear()
            self.is_idle = True
            try:
                await self._changed.wait()
            finally:
                self.is_idle = False

    def refresh(self) -> None:
        """Wake the source if something is permitted, or refused, that was not."""
        now = (self.may_ask, self.is_open)
        if now != self._was:
            self._was = now
            self._changed.set()


class Permits:
    """One policy, and the permits of all sources under it.

    ``slept_s`` is how long the machine has slept: what the times of readings lack of the policy's.
    """

    def __init__(self, limits: PowerLimits, mono_s: float, slept_s: float = 0.0) -> None:
        self.slept_s = slept_s
        self.policy = PowerPolicy(limits, mono_s + slept_s)
        self._permits: dict[str, BusPermit] = {}
        self.on_told: Callable[[], None] = lambda: None
        """Called after each event, when its outcome stands."""

    def permit(self, name: str) -> BusPermit:
        """A permit for a source that asks; names are unique."""
        self.policy.add(name)
        permit = self._permits[name] = BusPermit(self, name)
        return permit

    @property
    def are_idle(self) -> bool:
        """Whether all sources that have a port have closed it."""
        return all(permit.is_idle for permit in self._permits.values())

    def feed(self, name: str, reading: Reading) -> None:
        """A reading of a source, whether it has a permit or not."""
        self.tell(reading.mono_s, lambda policy, at_s: self._read(policy, name, reading, at_s))

    def _read(self, policy: PowerPolicy, name: str, reading: Reading, at_s: float) -> None:
        if reading.signal == paths.VOLTAGE:
            policy.voltage(name, float(reading.value), at_s)
        else:
            policy.read(reading.signal, reading.value, at_s)
        if name not in self._permits and reading.signal not in NOT_USE:
            policy.traffic(name, at_s)

    def tell(self, mono_s: float, event: Callable[[PowerPolicy, float], None]) -> None:
        """Let something happen to the policy, and what follows from it to the permits."""
        at_s = mono_s + self.slept_s
        event(self.policy, at_s)
        self.policy.look(at_s)
        for permit in self._permits.values():
            permit.refresh()
        self.on_told()


def alone(name: str, mono_s: float, limits: PowerLimits | None = None) -> BusPermit:
    """A permit that no keeper oversees, for a source by itself: it rests, but is never closed."""
    chosen = limits or PowerLimits(deepest_is_rest=True)
    return Permits(chosen, mono_s).permit(name)
