"""The session with a car behind an adapter: connect, discover, poll, let it sleep, begin again."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.errors import AdapterError, PortError, ReplyError
from milepost_agent.readings import Reading
from milepost_agent.sources.elm327.adapter import Adapter, AdapterTimes
from milepost_agent.sources.elm327.parked import ParkedWatch
from milepost_agent.sources.elm327.reply import RESETS, parse_reply
from milepost_agent.sources.elm327.status import Status
from milepost_agent.sources.obd.activity import Activity, ParkingLimits
from milepost_agent.sources.obd.judging import judge
from milepost_agent.sources.obd.pids import LAST_MASK, PIDS_PER_MASK, requests, supported_pids
from milepost_agent.sources.obd.polling import PollPlan, wanted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from milepost_agent.backoff import Backoff
    from milepost_agent.sources.elm327.port import Port
    from milepost_agent.sources.elm327.reply import AdapterReply
    from milepost_agent.sources.obd.pids import Request
    from milepost_protocol.signals import Value

logger = logging.getLogger(__name__)

DISCOVERY_TRIES_MAX: Final = 3
SILENCES_MAX: Final = 5
"""Requests in a row that nobody answered, after which the ignition is taken to be off."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """``protocol``: the ELM327's number, 0 to search; ``fine_interval_s``: for what only a collection profile
    needs, 0 for never; ``parked_interval_s``: between two looks at the battery of a parked car."""

    protocol: str = "0"
    fine_interval_s: float = 0.0
    parked_interval_s: float = 1.0
    times: AdapterTimes = field(default_factory=AdapterTimes)
    parking: ParkingLimits = field(default_factory=ParkingLimits)


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
        self._status = Status()

    def status(self) -> Mapping[str, Value]:
        return self._status.table()

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """All readings from now on; ``Vehicle.LowVoltageSystemState`` tells when the car answers."""
        while True:
            try:
                async with aclosing(self._connected()) as readings:
                    async for reading in readings:
                        self._status.readings += 1
                        yield reading
            except (PortError, AdapterError) as error:
                self._status.failed(error)
                logger.warning("%s", error)
            await self._sleep(self._backoff.next_s())

    async def _connected(self) -> AsyncGenerator[Reading, None]:
        self._status.state = "connecting"
        port = await self._open_port()
        try:
            adapter = Adapter(port, self._options.times)
            self._status.adapter = adapter
            await adapter.initialise(self._options.protocol)
            self._status.connects += 1
            async with aclosing(self._car(adapter)) as readings:
                async for reading in readings:
                    yield reading
        finally:
            await port.close()

    async def _car(self, adapter: Adapter) -> AsyncGenerator[Reading, None]:
        """Poll the car while it answers, watch its battery while it does not."""
        watch: ParkedWatch | None = None
        while True:
            supported = await self._discover(adapter)
            if supported:
                self._backoff.reset()
                yield Reading(paths.SYSTEM_STATE, paths.STATE_ON, self._clock())
                async with aclosing(self._poll(adapter, supported)) as readings:
                    async for reading in readings:
                        yield reading
            self._status.state = "parked"
            if supported or watch is None:
                yield Reading(paths.SYSTEM_STATE, paths.STATE_OFF, self._clock())
                watch = ParkedWatch(self._options.parking, self._clock())
            async with aclosing(self._parked(adapter, watch)) as readings:
                async for reading in readings:
                    yield reading

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
        """Ask what the plan says until nobody answers, or the car has stood for long."""
        self._status.state = "reading"
        now_s = self._clock()
        plan = PollPlan(wanted(requests(), supported, self._options.fine_interval_s), now_s)
        activity = Activity(self._options.parking, now_s)
        silences = 0
        while silences < SILENCES_MAX and not activity.is_parked(self._clock()):
            asked_s = self._clock()
            request = plan.next(asked_s)
            if request is None:
                wait_s = plan.wait_s(asked_s)
                if wait_s is None:
                    return
                await self._sleep(wait_s)
                continue
            reply = await self._request(adapter, request.command)
            silences = silences + 1 if reply.is_silence else 0
            was_standing = activity.is_standing
            for reading in self._judge(plan, request, reply, asked_s, standing=was_standing):
                activity.feed(reading)
                yield reading
            if activity.is_standing != was_standing:
                plan.started(asked_s, standing=activity.is_standing)

    def _judge(
        self,
        plan: PollPlan[Request],
        request: Request,
        reply: AdapterReply,
        asked_s: float,
        *,
        standing: bool,
    ) -> list[Reading]:
        """The readings in ``reply``."""
        judgement = judge(plan, request, reply, asked_s, standing=standing)
        if judgement.error:
            self._status.garbled += 1
            self._status.last_error = judgement.error
        heard_s = self._clock()
        return [Reading(signal, value, heard_s) for signal, value in judgement.values]

    async def _parked(self, adapter: Adapter, watch: ParkedWatch) -> AsyncGenerator[Reading, None]:
        """Read the battery, and nothing else, until it tells that the car may be in use."""
        await adapter.release_bus()
        while True:
            volts = await adapter.voltage_v()
            if volts is not None:
                yield Reading(paths.VOLTAGE, volts, self._clock())
            if watch.feed(volts, self._clock()):
                return
            await self._sleep(self._options.parked_interval_s)

    async def _request(self, adapter: Adapter, command: str, *, search: bool = False) -> AdapterReply:
        reply = parse_reply(command, await adapter.request(command, search=search))
        self._status.count(reply)
        if reply.notices & RESETS:
            await adapter.initialise(self._options.protocol)
        return reply
