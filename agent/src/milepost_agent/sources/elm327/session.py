"""The session with a car behind an adapter: connect, discover, poll, let it sleep, begin again.

When to ask and when to let sleep is not decided here: the session obeys its permit.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.errors import AdapterError, PortError, ReplyError
from milepost_agent.power.permit import alone
from milepost_agent.pulse import Pulse
from milepost_agent.readings import Reading
from milepost_agent.sources.elm327.adapter import Adapter, AdapterTimes
from milepost_agent.sources.elm327.commands import CommandGate
from milepost_agent.sources.elm327.reply import RESETS, parse_reply
from milepost_agent.sources.elm327.status import Status
from milepost_agent.sources.obd.judging import judge
from milepost_agent.sources.obd.pids import LAST_MASK, PIDS_PER_MASK, Request, requests, supported_pids
from milepost_agent.sources.obd.polling import PollPlan, wanted
from milepost_agent.thresholds import RUNNING_RPM_MIN
from milepost_agent.vehicles.profile import Read

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from milepost_agent.backoff import Backoff
    from milepost_agent.power.permit import BusPermit
    from milepost_agent.sources.elm327.port import Port
    from milepost_agent.sources.elm327.reply import AdapterReply
    from milepost_agent.vehicles import Library, VehicleProfile
    from milepost_agent.vehicles.profile import Unit
    from milepost_protocol.signals import Value

logger = logging.getLogger(__name__)

Question = Request | Read

DISCOVERY_TRIES_MAX: Final = 3
SILENCES_MAX: Final = 5
"""Requests in a row that nobody answered, after which the ignition is taken to be off."""
TURN_S_MAX: Final = 300.0
"""From one answer, or rest, to the next; each wait on the adapter has a limit of its own, far below that."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """``protocol``: the ELM327's number, 0 to search; ``fine_interval_s``: for what only a collection profile
    needs, 0 for never; ``voltage_offset_v``: what the adapter shows too little of the battery's voltage;
    ``library``: the vehicle profile, or those from which the VIN chooses, ``None`` for plain OBD."""

    protocol: str = "0"
    fine_interval_s: float = 0.0
    voltage_offset_v: float = 0.0
    library: Library | None = None
    times: AdapterTimes = field(default_factory=AdapterTimes)

    @property
    def profile(self) -> VehicleProfile | None:
        """The profile of a car whose VIN is not known yet."""
        return None if self.library is None else self.library.chosen or self.library.generic


class Elm327Source:
    """Reads a car through an ELM327 until it is cancelled; whatever breaks, it connects anew.

    Args:
        open_port: opens the port; called again after each loss.
        backoff: how long to wait between attempts.
        clock: the monotonic clock, in seconds.
        sleep: waits so many seconds of that clock.
    """

    name = "elm327"

    def __init__(
        self,
        open_port: Callable[[], Awaitable[Port]],
        backoff: Backoff,
        options: SessionOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._open_port = open_port
        self._backoff = backoff
        self._options = SessionOptions() if options is None else options
        self._clock = clock
        self._sleep = sleep
        self._profile = self._options.profile
        self._status = Status(profile=self._profile.name if self._profile else "")
        self._permit = alone(self.name, clock())
        self._is_told_off = False
        self._is_asleep = False
        self.pulse = Pulse(TURN_S_MAX)

    def obey(self, permit: BusPermit) -> None:
        """Take up the permit of a keeper; without one the source decides by the same rules for itself."""
        self._permit = permit

    def status(self) -> Mapping[str, Value]:
        return {**self._status.table(), "stance": self._permit.stance.value}

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """All readings from now on; ``Vehicle.LowVoltageSystemState`` tells when the car answers."""
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
                except (PortError, AdapterError) as error:
                    self._status.failed(error)
                    logger.warning("%s", error)
                    with self.pulse.resting():
                        await self._permit.wait(self._backoff.next_s(), self._sleep)

    async def _connected(self) -> AsyncGenerator[Reading, None]:
        self._status.state = "connecting"
        port = await self._open_port()
        try:
            adapter = Adapter(port, self._options.times, self._gate())
            self._status.adapter = adapter
            if self._is_asleep:
                await adapter.wake()
                self._is_asleep = False
            await adapter.initialise(self._options.protocol)
            self._status.connects += 1
            async with aclosing(self._car(adapter)) as readings:
                async for reading in readings:
                    yield reading
        finally:
            await port.close()

    def _gate(self) -> CommandGate:
        return CommandGate(self._profile.units if self._profile else ())

    async def _car(self, adapter: Adapter) -> AsyncGenerator[Reading, None]:
        """Poll the car while it may be asked and answers, else watch its battery; until all is closed."""
        while self._permit.is_open:
            if self._permit.may_ask:
                async with aclosing(self._in_use(adapter)) as readings:
                    async for reading in readings:
                        yield reading
            self._status.state = "parked"
            if not self._is_told_off:
                self._is_told_off = True
                yield Reading(paths.SYSTEM_STATE, paths.STATE_OFF, self._clock())
            async with aclosing(self._parked(adapter)) as readings:
                async for reading in readings:
                    yield reading
        self._status.state = "closed"
        await adapter.sleep()
        self._is_asleep = True

    async def _in_use(self, adapter: Adapter) -> AsyncGenerator[Reading, None]:
        """Poll until nobody answers or the car is to be left alone."""
        supported = await self._discover(adapter)
        if supported:
            self._backoff.reset()
            self._is_told_off = False
            self._permit.answered(self._clock())
            yield Reading(paths.SYSTEM_STATE, paths.STATE_ON, self._clock())
            async with aclosing(self._poll(adapter, supported)) as readings:
                async for reading in readings:
                    yield reading
        if self._permit.may_ask:
            self._permit.silent(self._clock())

    async def _discover(self, adapter: Adapter) -> frozenset[int]:
        """The PIDs of service 01 that the car supports; none where no ECU answers.

        One mask at a time, and each only where the one before it says that it exists: an old ECU answers
        anything else with a refusal, or not at all.

        Raises:
            AdapterError: ECUs answer, but never so that it can be understood.
            PortError: the port is gone.
        """
        self._status.state = "searching"
        supported: frozenset[int] = frozenset()
        for base in range(0x00, LAST_MASK + 1, PIDS_PER_MASK):
            if base and base not in supported:
                break
            mask = await self._mask(adapter, base)
            if mask is None:
                break
            supported |= mask
        return supported

    async def _mask(self, adapter: Adapter, base: int) -> frozenset[int] | None:
        command = f"01{base:02X}"
        why = "no answer"
        for _ in range(DISCOVERY_TRIES_MAX):
            reply = await self._request(adapter, command, search=base == 0)
            try:
                if reply.messages:
                    return supported_pids(base, reply.messages)
            except ReplyError as error:
                why = str(error)
                self._status.garbled += 1
                continue
            if reply.notices or reply.refusals:
                return None
        if base == 0 and why != "no answer":
            raise AdapterError(command, f"{DISCOVERY_TRIES_MAX} answers that make no sense, the last: {why}")
        return None

    async def _poll(self, adapter: Adapter, supported: frozenset[int]) -> AsyncGenerator[Reading, None]:
        """Ask what the plan says until nobody answers, or nobody may be asked."""
        self._status.state = "reading"
        is_extended = await adapter.has_extended_ids()
        plan = self._plan(supported, is_extended=is_extended)
        standing = True
        silences = 0
        while silences < SILENCES_MAX and self._permit.may_ask:
            asked_s = self._clock()
            question = plan.next(asked_s)
            if question is None:
                wait_s = plan.wait_s(asked_s)
                if wait_s is None:
                    return
                with self.pulse.resting():
                    await self._sleep(wait_s)
                continue
            reply = await self._ask(adapter, question)
            if not reply.is_silence:
                silences = 0
            elif isinstance(question, Request):  # a unit that nobody else misses may just be missing
                silences += 1
            was_standing = standing
            for reading in self._judge(plan, question, reply, asked_s, standing=was_standing):
                if reading.signal == paths.RPM:
                    standing = float(reading.value) < RUNNING_RPM_MIN
                yield reading
                if reading.signal == paths.VIN and self._choose(str(reading.value)):
                    adapter.gate = self._gate()
                    plan = self._plan(supported, is_extended=is_extended)
            if standing != was_standing:
                plan.started(asked_s, standing=standing)

    def _plan(self, supported: frozenset[int], *, is_extended: bool | None) -> PollPlan[Question]:
        """What to ask: OBD, and on CAN those units of the profile whose identifiers are of its kind."""
        reads = self._profile.reads if self._profile else ()
        of_units = [read for read in reads if read.unit.request.is_extended is is_extended]
        obd = wanted(requests(), supported, self._options.fine_interval_s)
        return PollPlan([*obd, *of_units], self._clock())

    def _choose(self, vin: str) -> bool:
        """Whether the VIN chose another profile than the one at hand."""
        library = self._options.library
        profile = self._profile if library is None else library.of_vin(vin)
        if profile is None or profile is self._profile:
            return False
        self._profile = profile
        self._status.profile = profile.name
        logger.info("the car is read by vehicle profile %s", profile.name)
        return True

    def _judge(
        self,
        plan: PollPlan[Question],
        question: Question,
        reply: AdapterReply,
        asked_s: float,
        *,
        standing: bool,
    ) -> list[Reading]:
        """The readings in ``reply``."""
        judgement = judge(plan, question, reply, asked_s, standing=standing)
        if judgement.error:
            self._status.garbled += 1
            self._status.last_error = judgement.error
        heard_s = self._clock()
        return [Reading(signal, value, heard_s) for signal, value in judgement.values]

    async def _parked(self, adapter: Adapter) -> AsyncGenerator[Reading, None]:
        """Read the battery, and nothing else, until the bus may be asked again or all is to be closed."""
        await adapter.release_bus()
        while self._permit.is_open:
            volts = await adapter.voltage_v()
            if volts is None:
                self._permit.no_voltage(self._clock())
            else:
                yield Reading(paths.VOLTAGE, volts + self._options.voltage_offset_v, self._clock())
            if self._permit.may_ask:
                return
            if self._permit.is_open:
                with self.pulse.resting():
                    await self._permit.wait(self._permit.look_interval_s, self._sleep)
            if self._permit.may_ask:
                return

    async def _ask(self, adapter: Adapter, question: Question) -> AdapterReply:
        unit = question.unit if isinstance(question, Read) else None
        reply = await self._request(adapter, question.command, unit)
        return reply if unit is None else reply.of(str(unit.response))

    async def _request(
        self, adapter: Adapter, command: str, unit: Unit | None = None, *, search: bool = False
    ) -> AdapterReply:
        reply = parse_reply(command, await adapter.request(command, unit, search=search))
        self.pulse.beat()
        self._status.count(reply)
        if reply.notices & RESETS:
            await adapter.initialise(self._options.protocol)
        return reply
