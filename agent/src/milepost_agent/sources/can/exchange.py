"""One request on CAN and what comes of it: answers of one unit or several, long ones, pending ones. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost_agent.sources.can.gate import flow_control, single_frame
from milepost_agent.sources.obd.isotp import Assembler
from milepost_agent.sources.obd.messages import (
    NEGATIVE,
    RESPONSE_PENDING,
    Framing,
    Message,
    Refusal,
    Reply,
    answers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.sources.can.gate import Frame
    from milepost_agent.sources.obd.addresses import CanId

PENDINGS_MAX: Final = 12
"""Times that a unit may ask for patience."""
WHOLE_S_MAX: Final = 60.0
"""However slowly a unit answers, it is over by then."""
SEPARATION_MS: Final = 1
"""Pause that a unit makes between two frames of a long answer: slow adapters lose frames without."""


@dataclass(frozen=True, slots=True)
class ExchangeTimes:
    """Seconds to wait: for a first answer (and for units that are known to answer), for others after it, for
    the next frame of a long one, after "response pending". ISO 15765-4 gives units 50 ms to begin."""

    answer_s_max: float = 0.5
    others_s_max: float = 0.1
    frame_s_max: float = 1.0
    pending_s_max: float = 5.0


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes, and who may answer: ``units`` has the identifiers of answers, each with that on
    which its unit is asked. ``expected`` are those that will answer, as far as is known; none: not known."""

    target: CanId
    units: Mapping[CanId, CanId]
    expected: frozenset[CanId] = frozenset()


class Exchange:
    """A request under way. The caller sends ``frame``, feeds what is heard, and sends what that asks for.

    Counts ``pendings``, and ``strays``: whole messages that answer something else, or answer twice.
    """

    def __init__(self, request: bytes, route: Route, times: ExchangeTimes, mono_s: float) -> None:
        self.frame = single_frame(route.target, request)
        self.pendings = 0
        self.strays = 0
        self._request = request
        self._route = route
        self._times = times
        self._assembler = Assembler()
        self._messages: dict[CanId, Message] = {}
        self._refusals: dict[CanId, Refusal] = {}
        self._awaited: dict[CanId, float] = {}
        self._began_s = self._last_s = mono_s

    def feed(self, frame: Frame, mono_s: float) -> Frame | None:
        """Take a frame that was heard; gives the flow control that is to be sent because of it."""
        asked_on = self._route.units.get(frame.id)
        if asked_on is None:
            return None
        ecu = str(frame.id)
        wants_more = self._assembler.feed(ecu, frame.data)
        payloads, self._assembler.payloads = self._assembler.payloads, []
        for _, payload in payloads:
            self._take(frame.id, payload, mono_s)
        if ecu in self._assembler.unfinished:
            self._awaited[frame.id] = mono_s + self._times.frame_s_max
        elif not payloads:
            self._awaited.pop(frame.id, None)
        return flow_control(asked_on, SEPARATION_MS) if wants_more else None

    def _take(self, unit: CanId, payload: bytes, mono_s: float) -> None:
        self._awaited.pop(unit, None)
        self._last_s = mono_s
        if not answers(self._request, payload) or unit in self._messages:
            self.strays += 1
        elif payload[0] != NEGATIVE:
            self._messages[unit] = Message(str(unit), payload, Framing.CAN)
        elif payload[2] != RESPONSE_PENDING:
            self._refusals[unit] = Refusal(str(unit), payload[2])
        else:
            self.pendings += 1
            if self.pendings <= PENDINGS_MAX:
                self._awaited[unit] = mono_s + self._times.pending_s_max

    def is_over(self, mono_s: float) -> bool:
        """Whether nothing more is to come: all have answered who will, or the time is up."""
        return self.wait_s(mono_s) <= 0.0

    def wait_s(self, mono_s: float) -> float:
        """Seconds until it is over if nothing is heard."""
        ends_s = max(self._awaited.values(), default=mono_s)
        if self._missing or not self.responders:
            ends_s = max(ends_s, self._began_s + self._times.answer_s_max)
        elif not self._route.expected:
            ends_s = max(ends_s, self._last_s + self._times.others_s_max)
        return max(0.0, min(ends_s, self._began_s + WHOLE_S_MAX) - mono_s)

    @property
    def _missing(self) -> frozenset[CanId]:
        return self._route.expected - self.responders

    @property
    def is_to_all(self) -> bool:
        """Whether more than one unit may answer."""
        return len(self._route.units) > 1

    @property
    def responders(self) -> frozenset[CanId]:
        """The units that said yes or no."""
        return frozenset(self._messages.keys() | self._refusals.keys())

    def reply(self) -> Reply:
        """What came of it; a unit that was expected and is missing counts as garbled, if others answered."""
        refusals = tuple(refusal for unit, refusal in self._refusals.items() if unit not in self._messages)
        broken = self._assembler.broken + len(self._assembler.unfinished)
        missing = len(self._missing) if self._messages else 0
        return Reply(tuple(self._messages.values()), refusals, broken + missing)
