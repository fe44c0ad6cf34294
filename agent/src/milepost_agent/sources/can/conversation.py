"""Question and answer with a car that is awake: find its units, then ask what the plan says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.errors import ReplyError
from milepost_agent.readings import Reading
from milepost_agent.sources.can.exchange import Exchange, ExchangeTimes
from milepost_agent.sources.can.line import LISTEN_S_MAX
from milepost_agent.sources.can.questions import Addressing, Details, all_questions, code_book, route_to
from milepost_agent.sources.can.trouble import (
    CodesRead,
    detail_request,
    detail_text,
    parse_counter,
    parse_troubles,
)
from milepost_agent.sources.obd.judging import judge
from milepost_agent.sources.obd.pids import CURRENT_DATA, LAST_MASK, PIDS_PER_MASK, supported_pids
from milepost_agent.sources.obd.polling import NOT_SUPPORTED, PollPlan
from milepost_agent.thresholds import RUNNING_RPM_MIN

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from milepost_agent.power.permit import BusPermit
    from milepost_agent.sources.can.line import Line
    from milepost_agent.sources.can.questions import Detail, Question
    from milepost_agent.sources.can.status import Status
    from milepost_agent.sources.can.trouble import CodeBook
    from milepost_agent.sources.obd.messages import Reply
    from milepost_agent.vehicles import VehicleProfile
    from milepost_agent.vehicles.profile import ExtendedRecord

DISCOVERY_TRIES_MAX: Final = 3
SILENCES_MAX: Final = 5
"""Requests in a row that nobody answered, after which the ignition is taken to be off."""
OVERHEARD_MAX: Final = 1_000
IDENTIFICATION: Final = bytes.fromhex("22F190")
"""The VIN by identifier (ISO 14229-1): a unit without OBD answers it, if only to refuse."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a conversation goes.

    Attributes:
        identifiers: "11" or "29" bits, or "auto".
        fine_interval_s: for what only a collection profile needs; 0: never.
        asks_silent_bus: a bus on which nothing is heard may be asked nevertheless.
        times: how long answers are waited for.
    """

    identifiers: str = "auto"
    fine_interval_s: float = 0.0
    asks_silent_bus: bool = False
    times: ExchangeTimes = field(default_factory=ExchangeTimes)


class Conversation:
    """Speaks with the units of one car. What it learns of them stays until the bus is opened anew."""

    def __init__(self, line: Line, limits: Limits, status: Status, clock: Callable[[], float]) -> None:
        self._line = line
        self._limits = limits
        self._status = status
        self._clock = clock
        self._addressing = Addressing(is_extended=limits.identifiers == "29")
        self._details = Details()
        self._supported: frozenset[int] | None = None
        self._overheard: list[Reading] = []
        self._plan: PollPlan[Question] = PollPlan((), clock())
        self._book: CodeBook = code_book(())
        self._is_standing = True
        self._silences = 0

    async def find_units(self, profile: VehicleProfile) -> bool:
        """Whether anybody answers: all units by OBD, by either kind of identifier, or those of the profile.

        Raises:
            PortError: the bus is gone.
        """
        self._silences = 1  # whoever has not answered yet may sleep
        known = self._addressing.is_extended
        for is_extended in (known, not known) if self._limits.identifiers == "auto" else (known,):
            self._addressing.is_extended = is_extended
            self._supported = await self._supported_pids()
            if self._supported is not None:
                return True
        self._addressing.is_extended = known
        for unit in profile.units:
            exchange = Exchange(IDENTIFICATION, route_to(unit), self._limits.times, self._clock())
            await self._run(exchange)
            if exchange.responders:
                return True
        return False

    async def _is_awake(self) -> bool:
        """Whether the bus is awake right now: after silence nothing is sent unless something is heard."""
        if not self._silences or self._limits.asks_silent_bus:
            return True
        is_awake, readings = await self._line.look()
        self._overhear(readings)
        return is_awake

    def overheard(self) -> list[Reading]:
        """What the car said by itself while its units were looked for."""
        heard, self._overheard = self._overheard, []
        return heard

    async def _supported_pids(self) -> frozenset[int] | None:
        """The PIDs of service 01 that any unit supports; ``None`` where no unit answers.

        One mask at a time, and each only where the one before it says that it exists: an old unit answers
        anything else with a refusal, or not at all.
        """
        supported: frozenset[int] = frozenset()
        for base in range(0x00, LAST_MASK + 1, PIDS_PER_MASK):
            if base and base not in supported:
                break
            mask = await self._mask(base)
            if mask is None:
                return supported if base else None
            supported |= mask
        return supported

    async def _mask(self, base: int) -> frozenset[int] | None:
        command = f"{CURRENT_DATA}{base:02X}"
        for _ in range(DISCOVERY_TRIES_MAX):
            route = self._addressing.route_to_all(command)
            exchange = Exchange(bytes.fromhex(command), route, self._limits.times, self._clock())
            await self._run(exchange)
            reply = exchange.reply()
            try:
                if reply.messages:
                    found = supported_pids(base, reply.messages)
                    self._addressing.learn(command, exchange.responders)
                    return found
            except ReplyError as error:
                self._not_understood(str(error))
            # A frame may be lost, but a bus on which nobody answers is not to be kept awake.
            if reply.refusals or (reply.is_silence and base == 0):
                return None
        return None

    async def _run(self, exchange: Exchange) -> None:
        if not await self._is_awake():
            return
        async for reading in self._line.ask(exchange):
            self._overhear([reading])
        self._note(exchange)

    def _overhear(self, readings: list[Reading]) -> None:
        self._overheard += readings[: OVERHEARD_MAX - len(self._overheard)]

    def _note(self, exchange: Exchange) -> None:
        """Note whether the bus is still there: half an answer may be the last that it said."""
        self._silences = 0 if exchange.responders else self._silences + 1
        if not self._silences:
            self._line.narrow()

    async def poll(self, profile: VehicleProfile, permit: BusPermit) -> AsyncGenerator[Reading, None]:
        """Ask what the plan says until nobody answers, or nobody may be asked.

        Raises:
            PortError: the bus is gone.
        """
        self.begin(profile)
        self._is_standing = True
        while self._silences < SILENCES_MAX and permit.may_ask and await self._is_awake():
            asked_s, was_standing = self._clock(), self._is_standing
            async for reading in self._turn(asked_s):
                if reading.signal == paths.RPM:
                    self._is_standing = float(reading.value) < RUNNING_RPM_MIN
                yield reading
            if self._is_standing != was_standing:
                self._plan.started(asked_s, standing=self._is_standing)

    def begin(self, profile: VehicleProfile) -> None:
        """Plan anew, with what ``profile`` knows."""
        questions = all_questions(profile, self._supported, self._limits.fine_interval_s)
        self._plan = PollPlan(questions, self._clock())
        self._book = code_book(questions)

    async def _turn(self, asked_s: float) -> AsyncGenerator[Reading, None]:
        """One question and what came of it, or what is heard until the next is due."""
        for reading in self.overheard():
            yield reading
        question = self._plan.next(asked_s)
        if question is not None:
            route = self._addressing.route(question)
            exchange = Exchange(bytes.fromhex(question.command), route, self._limits.times, self._clock())
            plan, standing = self._plan, self._is_standing
            async for reading in self._line.ask(exchange):
                yield reading
            self._note(exchange)
            if plan is self._plan:
                for reading in self._judge(question, exchange, asked_s, standing=standing):
                    yield reading
        elif (detail := self._details.next()) is not None:
            async for reading in self._ask_detail(detail):
                yield reading
        else:
            wait_s = self._plan.wait_s(asked_s)
            for reading in await self._line.listen(LISTEN_S_MAX if wait_s is None else wait_s):
                yield reading

    def _judge(
        self, question: Question, exchange: Exchange, asked_s: float, *, standing: bool
    ) -> list[Reading]:
        """The readings that an exchange brought; tells the plan, the book of codes and the addressing."""
        reply = exchange.reply()
        judgement = judge(self._plan, question, reply, asked_s, standing=standing)
        if judgement.error:
            self._not_understood(judgement.error)
        if reply.messages and exchange.is_to_all:
            self._addressing.learn(question.command, exchange.responders)
        lists = self._book.silent(question.key) if self._plan.is_failing(question.key) else []
        if isinstance(question, CodesRead) and judgement.values:
            self._details.heard(question.unit, parse_troubles(reply.messages[0].payload))
        heard_s = self._clock()
        readings = [Reading(signal, codes, heard_s) for signal, codes in lists]
        for signal, value in judgement.values:
            told = self._book.heard(question.key, signal, str(value)) if signal in paths.INNER else value
            if told is not None:
                readings.append(Reading(signal, told, heard_s))
        return readings

    async def _ask_detail(self, detail: Detail) -> AsyncGenerator[Reading, None]:
        """A code of a unit with what its counters say, as far as they answer."""
        counters: dict[str, int] = {}
        for name, record in detail.counters:
            request = detail_request(detail.trouble, record)
            exchange = Exchange(request, route_to(detail.unit), self._limits.times, self._clock())
            async for reading in self._line.ask(exchange):
                yield reading
            self._note(exchange)
            reply = exchange.reply()
            if reply.refusals and reply.refusals[0].code in NOT_SUPPORTED:
                self._details.refused(detail.unit)
                break
            count = self._counter(detail, record, reply)
            if count is not None:
                counters[name] = count
            elif self._details.in_vain(detail):
                return
            elif self._silences:
                break
        text = detail_text(detail.unit.name, detail.trouble, counters)
        yield Reading(paths.DTC_DETAIL, text, self._clock())

    def _counter(self, detail: Detail, record: ExtendedRecord, reply: Reply) -> int | None:
        """The counter in ``reply``; ``None`` where it holds none."""
        try:
            return (
                parse_counter(detail.trouble, record, reply.messages[0].payload) if reply.messages else None
            )
        except ReplyError as error:
            self._not_understood(str(error))
            return None

    def _not_understood(self, why: str) -> None:
        self._status.garbled += 1
        self._status.last_error = why
