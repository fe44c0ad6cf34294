"""The session with a bus: connect, ask while that is permitted and the bus is awake, else only listen.

When a car is asked and when it is left alone is decided by the power policy, which the session obeys; that a
bus on which nothing is heard is not asked is decided here.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from milepost_agent import paths
from milepost_agent.sources.can.conversation import Conversation, Limits
from milepost_agent.sources.can.gate import Gate
from milepost_agent.sources.can.line import LISTEN_S_MAX
from milepost_agent.sources.can.reader import BusReader
from milepost_agent.sources.can.watch import BusWatch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from milepost_agent.power.permit import BusPermit
    from milepost_agent.readings import Reading
    from milepost_agent.sources.can.line import Line
    from milepost_agent.sources.can.reader import Surroundings
    from milepost_protocol.signals import Value


@dataclass(frozen=True, slots=True)
class AskingOptions:
    """``quiet_s`` without a frame, and the bus sleeps."""

    quiet_s: float = 5.0
    limits: Limits = field(default_factory=Limits)


class CanSource(BusReader):
    """Asks a car on a CAN bus, and listens to it; see ``BusReader``."""

    def __init__(self, surroundings: Surroundings, options: AskingOptions | None = None) -> None:
        super().__init__(surroundings)
        self._options = AskingOptions() if options is None else options
        self._is_told_off = False

    def obey(self, permit: BusPermit) -> None:
        """Take up the permit of a keeper; without one the source decides by the same rules for itself."""
        self._permit = permit

    def status(self) -> Mapping[str, Value]:
        return {**super().status(), "stance": self._permit.stance.value}

    def _gate(self) -> Gate:
        return Gate(diagnostics=True, units=(unit.request for unit in self._profile.units))

    async def _visit(self, line: Line) -> AsyncGenerator[Reading, None]:
        """Ask the car while it may be asked and answers; only listen else, until all is to be closed."""
        conversation = Conversation(line, self._options.limits, self._status, self._clock)
        line.watch = watch = BusWatch(self._options.quiet_s)
        while self._permit.is_open:
            if self._may_ask(watch):
                async with aclosing(self._in_use(line, conversation)) as readings:
                    async for reading in readings:
                        yield reading
                if not self._is_told_off:
                    self._is_told_off = True
                    yield self._system_state(on=False)
            self._status.state = "parked"
            line.want(None)
            async with aclosing(self._parked(line, watch)) as readings:
                async for reading in readings:
                    yield reading
        self._status.state = "closed"

    def _may_ask(self, watch: BusWatch) -> bool:
        """Whether it is permitted, and would not wake a bus that sleeps; the status shows whether it does."""
        is_awake = watch.is_awake(self._clock())
        self._status.is_quiet = not is_awake
        return self._permit.may_ask and (is_awake or self._options.limits.asks_silent_bus)

    async def _in_use(self, line: Line, conversation: Conversation) -> AsyncGenerator[Reading, None]:
        """Ask until nobody answers or the car is to be left alone."""
        self._status.state = "searching"
        self._hear_answers(line)
        answered = await conversation.find_units(self._profile)
        for reading in conversation.overheard():
            yield reading
        if answered:
            self._backoff.reset()
            self._is_told_off = False
            self._status.state = "reading"
            self._permit.answered(self._clock())
            if not self._profile.tells_system_state:
                yield self._system_state(on=True)
            async with aclosing(conversation.poll(self._profile, self._permit)) as readings:
                async for reading in readings:
                    self._permit.traffic(reading.mono_s)
                    yield reading
                    if reading.signal == paths.VIN and self._choose(str(reading.value)):
                        line.admit(self._gate())
                        line.listener = self._listener
                        self._hear_answers(line)
                        conversation.begin(self._profile)
        if self._permit.may_ask:
            self._permit.silent(self._clock())

    def _hear_answers(self, line: Line) -> None:
        line.want((*line.listener.ids, *(unit.response for unit in self._profile.units)))

    async def _parked(self, line: Line, watch: BusWatch) -> AsyncGenerator[Reading, None]:
        """Listen, and send nothing, until the bus may be asked or all is to be closed."""
        began_s = self._clock()
        while self._permit.is_open and not self._may_ask(watch):
            for reading in await line.listen(LISTEN_S_MAX):
                yield reading
            self._tell_traffic(watch)
            has_waited = self._clock() - began_s >= self._options.quiet_s
            if self._status.is_quiet and has_waited and not self._is_told_off:
                self._is_told_off = True
                yield self._system_state(on=False)

    def _tell_traffic(self, watch: BusWatch) -> None:
        """Tell the power policy what was heard, or that nothing tells of this car but asking it."""
        now_s = self._clock()
        if watch.is_awake(now_s):
            self._permit.traffic(now_s)
            if watch.take_jump():
                self._permit.hint(now_s)
            self._permit.busy(now_s)
        elif self._options.limits.asks_silent_bus:
            self._permit.no_voltage(now_s)
