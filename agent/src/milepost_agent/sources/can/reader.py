"""What asking and listening share: a bus that is opened again and again, and the profile of its car."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.errors import PortError, SourceConfigError
from milepost_agent.power.permit import alone
from milepost_agent.pulse import Pulse
from milepost_agent.readings import Reading
from milepost_agent.sources.can.gate import Gate
from milepost_agent.sources.can.line import LISTEN_S_MAX, Line
from milepost_agent.sources.can.listening import no_listener
from milepost_agent.sources.can.status import Status

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from milepost_agent.backoff import Backoff
    from milepost_agent.sources.can.bus import Bus
    from milepost_agent.sources.can.listening import Listener
    from milepost_agent.vehicles import Library, VehicleProfile
    from milepost_protocol.signals import Value

logger = logging.getLogger(__name__)

TURN_S_MAX: Final = 300.0
"""From one wait for frames, or rest, to the next; opening a bus takes the longest of what lies between."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a reader works with.

    Attributes:
        open_bus: opens the bus, with the gate that what it sends must pass; called again after each loss.
        library: the vehicle profile, or those from which the VIN chooses.
        open_listener: what hears what a profile names.
        backoff: how long to wait between attempts.
        clock: the monotonic clock, in seconds.
        sleep: waits so many seconds of that clock.
    """

    open_bus: Callable[[Gate], Awaitable[Bus]]
    library: Library
    open_listener: Callable[[VehicleProfile], Listener]
    backoff: Backoff
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class BusReader(ABC):
    """Reads a bus until it is cancelled; whatever breaks, it connects anew.

    Raises:
        SourceConfigError: the chosen profile does not fit its DBC file.
    """

    name = "can"

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._backoff = surroundings.backoff
        self._clock = clock = surroundings.clock
        self._library = library = surroundings.library
        self._permit = alone(self.name, clock())
        self._profile = library.chosen or library.generic
        self._listener = surroundings.open_listener(self._profile)
        self._status = Status(profile=self._profile.name, listener=self._listener)
        self.pulse = Pulse(TURN_S_MAX)

    @abstractmethod
    def _gate(self) -> Gate:
        """What may be sent."""

    @abstractmethod
    def _visit(self, line: Line) -> AsyncGenerator[Reading, None]:
        """The readings of an open bus, until it is to be closed."""

    def status(self) -> Mapping[str, Value]:
        """See ``Source``."""
        return self._status.table()

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """All readings from now on; ``Vehicle.LowVoltageSystemState`` tells when the car is awake."""
        with self.pulse.turning():
            while True:
                with self.pulse.resting():
                    await self._permit.opened()
                try:
                    async with aclosing(self._connected()) as readings:
                        async for reading in readings:
                            self._status.readings += 1
                            self._permit.feed(reading)
                            yield reading
                except PortError as error:
                    self._status.failed(error)
                    logger.warning("%s", error)
                    with self.pulse.resting():
                        await self._permit.wait(self._backoff.next_s(), self._surroundings.sleep)

    async def _connected(self) -> AsyncGenerator[Reading, None]:
        self._status.state = "connecting"
        bus = await self._surroundings.open_bus(self._gate())
        self._status.opened(bus)
        try:
            line = Line(bus, self._listener, self._status, self._clock, self.pulse)
            async with aclosing(self._visit(line)) as readings:
                async for reading in readings:
                    yield reading
        finally:
            self._status.closed()
            await bus.close()

    def _choose(self, vin: str) -> bool:
        """Whether the VIN chose another profile than the one at hand."""
        profile = self._library.of_vin(vin)
        if profile is self._profile:
            return False
        try:
            self._listener = self._surroundings.open_listener(profile)
        except SourceConfigError as error:
            # What is asked needs no DBC file; what is heard without one is nothing.
            self._listener = no_listener()
            self._status.last_error = str(error)
        self._profile = profile
        self._status.profile, self._status.listener = profile.name, self._listener
        logger.info("the car is read by vehicle profile %s", profile.name)
        return True

    def _system_state(self, *, on: bool) -> Reading:
        return Reading(paths.SYSTEM_STATE, paths.STATE_ON if on else paths.STATE_OFF, self._clock())


class ListeningSource(BusReader):
    """Only listens, and never sends a frame: the car is on while what its profile names is heard.

    ``quiet_s`` without such a frame, and it is off.
    """

    def __init__(self, surroundings: Surroundings, quiet_s: float) -> None:
        super().__init__(surroundings)
        self._quiet_s = quiet_s

    def _gate(self) -> Gate:
        return Gate(diagnostics=False)

    async def _visit(self, line: Line) -> AsyncGenerator[Reading, None]:
        line.want(line.listener.ids)
        is_on: bool | None = None
        heard_at_s = -float("inf")
        while True:
            for reading in await line.listen(LISTEN_S_MAX):
                heard_at_s = reading.mono_s
                if not is_on:
                    is_on = True
                    self._backoff.reset()
                    self._tell_state("listening", is_quiet=False)
                    if not self._profile.tells_system_state:
                        yield self._system_state(on=True)
                yield reading
            if is_on is not False and self._clock() - heard_at_s >= self._quiet_s:
                is_on = False
                self._tell_state("parked", is_quiet=True)
                yield self._system_state(on=False)

    def _tell_state(self, state: str, *, is_quiet: bool) -> None:
        self._status.state, self._status.is_quiet = state, is_quiet
