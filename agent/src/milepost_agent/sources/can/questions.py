"""What a car on CAN is asked, where each question goes, and who has answered it so far. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent import paths
from milepost_agent.sources.can.exchange import Route
from milepost_agent.sources.can.trouble import STATUS_MASK, CodeBook, CodesRead, Trouble
from milepost_agent.sources.obd.addresses import (
    FUNCTIONAL,
    FUNCTIONAL_EXTENDED,
    OBD_EXTENDED,
    OBD_STANDARD,
)
from milepost_agent.sources.obd.pids import Decoder, Request, requests
from milepost_agent.sources.obd.polling import wanted
from milepost_agent.vehicles.profile import Read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milepost_agent.sources.obd.addresses import CanId
    from milepost_agent.vehicles.profile import ExtendedRecord, Unit, VehicleProfile

MISSES_MAX: Final = 3
DETAILS_MAX: Final = 256
"""Codes remembered, and codes that wait to be asked about; a car that has more is not telling the truth."""
DETAIL_TRIES_MAX: Final = 3

Question = Request | Read | CodesRead


class Detail(NamedTuple):
    """A code whose counters are still to be asked for (19 06), and how often they were in vain."""

    unit: Unit
    trouble: Trouble
    counters: tuple[tuple[str, ExtendedRecord], ...]
    tries: int = 0


@dataclass(slots=True)
class Addressing:
    """How the units of this bus are asked, and which of them answered what, so that nobody is waited for who
    does not answer."""

    is_extended: bool = False
    _missed: dict[str, dict[CanId, int]] = field(default_factory=dict)

    def route(self, question: Question) -> Route:
        """Where ``question`` goes."""
        if isinstance(question, Request):
            return self.route_to_all(question.command)
        return route_to(question.unit)

    def route_to_all(self, command: str) -> Route:
        """Where a request to all units goes."""
        target, units = (
            (FUNCTIONAL_EXTENDED, OBD_EXTENDED) if self.is_extended else (FUNCTIONAL, OBD_STANDARD)
        )
        return Route(target, units, frozenset(self._missed.get(command, ())))

    def learn(self, command: str, responders: frozenset[CanId]) -> None:
        """Note who answered; a unit is waited for until it has missed ``MISSES_MAX`` requests in a row."""
        missed = {unit: count + 1 for unit, count in self._missed.get(command, {}).items()}
        missed |= dict.fromkeys(responders, 0)
        self._missed[command] = {unit: count for unit, count in missed.items() if count < MISSES_MAX}


def route_to(unit: Unit) -> Route:
    """Where a request to one unit goes."""
    return Route(unit.request, {unit.response: unit.request}, frozenset({unit.response}))


def all_questions(
    profile: VehicleProfile, supported: frozenset[int] | None, fine_interval_s: float
) -> list[Question]:
    """What to ask: ``supported`` are the PIDs of service 01 that the car answers, ``None`` without OBD."""
    obd = [] if supported is None else wanted(requests(), supported, fine_interval_s)
    units = (CodesRead(unit) for unit in profile.units if unit.trouble_codes)
    return [*obd, *profile.reads, *units]


def code_book(questions: Iterable[Question]) -> CodeBook:
    """A book of all lists of codes that ``questions`` will bring."""
    origins: list[tuple[str, str]] = []
    for question in questions:
        if isinstance(question, CodesRead):
            origins += [(question.key, paths.DTC_CONFIRMED), (question.key, paths.DTC_PENDING)]
        elif isinstance(question, Request) and question.decoder is Decoder.DTC:
            origins.append((question.key, question.fields[0].signal))
    return CodeBook(origins)


@dataclass(slots=True)
class Details:
    """Which codes' extended data are to be asked for: once when a code comes, and when its status changes."""

    _known: dict[tuple[str, bytes], int] = field(default_factory=dict)
    _waiting: deque[Detail] = field(default_factory=deque)
    _refused: set[str] = field(default_factory=set)

    def heard(self, unit: Unit, troubles: Iterable[Trouble]) -> None:
        """Note the codes that a unit tells now, and forget those that it tells no more."""
        troubles = tuple(troubles)
        told = {trouble.raw for trouble in troubles}
        for name, raw in [key for key in self._known if key[0] == unit.name and key[1] not in told]:
            del self._known[name, raw]
        named = (("occurrences", unit.occurrences), ("ageing", unit.ageing))
        counters = tuple((name, record) for name, record in named if record is not None)
        for trouble in troubles:
            key = (unit.name, trouble.raw)
            is_full = len(self._waiting) >= DETAILS_MAX or (
                key not in self._known and len(self._known) >= DETAILS_MAX
            )
            status = trouble.status & STATUS_MASK
            if is_full or self._known.get(key) == status:
                continue
            self._known[key] = status
            self._waiting.append(Detail(unit, trouble, () if unit.name in self._refused else counters))

    def next(self) -> Detail | None:
        """The next one to ask for, ``None`` where none is left."""
        return self._waiting.popleft() if self._waiting else None

    def in_vain(self, detail: Detail) -> bool:
        """Note that an answer was lost; whether it will be asked for again."""
        if detail.tries + 1 >= DETAIL_TRIES_MAX or len(self._waiting) >= DETAILS_MAX:
            return False
        self._waiting.append(detail._replace(tries=detail.tries + 1))
        return True

    def refused(self, unit: Unit) -> None:
        """Note that a unit does not tell extended data; its codes are told without."""
        self._refused.add(unit.name)
