"""A control unit on CAN: requests out of frames, answers into frames at the asker's pace. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from milepost_simulator.car.ecu import NEGATIVE, SERVICE_NOT_SUPPORTED, Ecu
from milepost_simulator.car.framing import can_frames
from milepost_simulator.car.uds import READ_CODES, READ_DATA, UdsUnit

if TYPE_CHECKING:
    from milepost_simulator.car.snapshot import Snapshot

FUNCTIONAL = (0x7DF, 0x18DB33F1)
PADDING = 0xAA
RESPONSE_PENDING = 0x78
FLOW_CONTROL = 0x3
OBD_SERVICES = frozenset({0x01, 0x03, 0x04, 0x07, 0x09, 0x0A})


class CanFrame(NamedTuple):
    """A data frame: above 7FF, or where it says so, its identifier has 29 bits."""

    number: int
    is_extended: bool
    data: bytes


class TimedFrame(NamedTuple):
    """A frame that is to be sent so many seconds from now."""

    delay_s: float
    frame: CanFrame


@dataclass(frozen=True, slots=True)
class UnitModel:
    """Where a unit is asked and answers, and how it behaves.

    ``pendings``: how often it asks for patience before an answer to UDS; ``answer_s``: how long it thinks.
    """

    request: int
    response: int
    answers_all: bool = True
    answer_s: float = 0.002
    pendings: int = 0
    pending_s: float = 0.05


class CanUnit:
    """One unit. ``requests`` are the payloads of all requests that reached it."""

    def __init__(self, model: UnitModel, obd: Ecu | None, uds: UdsUnit | None) -> None:
        self.model = model
        self.requests: list[bytes] = []
        self._obd = obd
        self._uds = uds
        self._rest: list[CanFrame] = []
        self._is_extended = model.request > 0x7FF

    def hear(self, frame: CanFrame, now: Snapshot) -> list[TimedFrame]:
        """What the unit sends because of a frame."""
        is_to_all = self.model.answers_all and frame.number in FUNCTIONAL
        if frame.is_extended != self._is_extended or not (is_to_all or frame.number == self.model.request):
            return []
        kind = frame.data[0] >> 4 if frame.data else -1
        if kind == FLOW_CONTROL:
            return self._continue(frame.data)
        size = frame.data[0] & 0x0F if kind == 0 else 0
        if not 1 <= size < len(frame.data):
            return []
        request = frame.data[1 : 1 + size]
        self.requests.append(request)
        return self._answer(request, now, is_to_all=is_to_all)

    def _answer(self, request: bytes, now: Snapshot, *, is_to_all: bool) -> list[TimedFrame]:
        payload = self._payload(request, now, is_to_all=is_to_all)
        if payload is None:
            return []
        patience = [] if request[0] in OBD_SERVICES else [self.model.pending_s] * self.model.pendings
        pending = self._frames(bytes((NEGATIVE, request[0], RESPONSE_PENDING)))
        begins = [TimedFrame(delay_s, pending[0]) for delay_s in [self.model.answer_s, *patience][:-1]]
        first, *self._rest = self._frames(payload)
        return [*begins, TimedFrame(patience[-1] if patience else self.model.answer_s, first)]

    def _payload(self, request: bytes, now: Snapshot, *, is_to_all: bool) -> bytes | None:
        if not now.is_ignition_on:
            return None
        if request[0] in OBD_SERVICES and self._obd is not None:
            return self._obd.respond(request, now, is_functional=is_to_all)
        if is_to_all:
            return None
        if self._uds is not None and request[0] in (READ_DATA, READ_CODES):
            return self._uds.respond(request, now)
        return bytes((NEGATIVE, request[0], SERVICE_NOT_SUPPORTED))

    def _continue(self, flow_control: bytes) -> list[TimedFrame]:
        """The asker lets the rest come: so many frames at once (0: all), so many milliseconds apart."""
        if flow_control[0] != FLOW_CONTROL << 4 or len(flow_control) < 3:
            return []
        block = flow_control[1] or len(self._rest)
        now, self._rest = self._rest[:block], self._rest[block:]
        return [TimedFrame(min(flow_control[2], 0x7F) / 1000, frame) for frame in now]

    def _frames(self, payload: bytes) -> list[CanFrame]:
        cut = can_frames(self.model.response, payload, is_extended=self._is_extended, padding=PADDING)
        return [CanFrame(self.model.response, self._is_extended, part.data) for part in cut]
