"""What an adapter answered, as messages of ECUs. Pure, and total: any text gives a ``Reply``.

Adapters are asked for headers on and spaces off, but copies do as they like, so the shape of a line decides:

==========================  ==================================================================
``7E8064100BE3EB811``       CAN, 11-bit: three digits of id (600 to 7FF), then the frame
``18DAF110064100BE3EB811``  CAN, 29-bit: eight digits of id, then the frame
``486B104100BE3EB811FA``    J1850, ISO 9141, KWP: three bytes of header, message, checksum
``4100BE3EB811``            headers off, one line
``014``, ``0:490201...``    headers off, several lines: the length, then numbered pieces
``NO DATA`` and the like    a notice of the adapter
==========================  ==================================================================
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field, replace
from typing import Final

from milepost_agent.sources.elm327.checksum import is_sealed
from milepost_agent.sources.obd.isotp import FRAME_BYTES_MAX, SEQUENCE_MODULUS, reassemble
from milepost_agent.sources.obd.messages import (
    NEGATIVE,
    RESPONSE_PENDING,
    Framing,
    Message,
    Refusal,
    Reply,
    answers,
)

NO_HEADER: Final = ""
LEGACY_TARGETS: Final = (0x6B, 0xF1)
"""Second header byte of an answer: functional (J1850, ISO 9141) or the tester (KWP)."""

_HEX = re.compile(r"[0-9A-F]+")
_PIECE = re.compile(r"([0-9A-F]):((?:[0-9A-F]{2})+)")
_PREFIX = re.compile(r"(?:SEARCHING\.*|BUSINIT:?\.*)")


class Notice(enum.StrEnum):
    """What an adapter says instead of, or beside, data."""

    NO_DATA = "NODATA"
    STOPPED = "STOPPED"
    UNABLE_TO_CONNECT = "UNABLETOCONNECT"
    BUS_INIT_ERROR = "BUSINITERROR"
    BUS_BUSY = "BUSBUSY"
    BUS_ERROR = "BUSERROR"
    CAN_ERROR = "CANERROR"
    DATA_ERROR = "DATAERROR"
    RX_ERROR = "RXERROR"
    FEEDBACK_ERROR = "FBERROR"
    BUFFER_FULL = "BUFFERFULL"
    LOW_VOLTAGE_RESET = "LVRESET"
    LOW_POWER_ALERT = "LPALERT"
    ACTIVITY_ALERT = "ACTALERT"
    RESET = "ELM327"
    UNKNOWN_COMMAND = "?"


RESETS: Final = frozenset({Notice.RESET, Notice.LOW_VOLTAGE_RESET})
"""Notices of an adapter that began anew and forgot its settings, as when a starter takes its supply."""


@dataclass(frozen=True, slots=True)
class AdapterReply(Reply):
    """A reply with what the adapter said of itself; ``garbled`` counts lines that made no sense, too."""

    notices: frozenset[Notice] = frozenset()

    def of(self, ecu: str) -> AdapterReply:
        """What ``ecu`` alone answered; who was not asked and answers counts as garbled."""
        messages = tuple(one for one in self.messages if one.ecu in (ecu, NO_HEADER))
        refusals = tuple(one for one in self.refusals if one.ecu in (ecu, NO_HEADER))
        strays = len(self.messages) + len(self.refusals) - len(messages) - len(refusals)
        return replace(self, messages=messages, refusals=refusals, garbled=self.garbled + strays)


def text_lines(command: str, text: str) -> list[str]:
    """The lines of ``text`` without blanks and without the echo of ``command``, in capitals."""
    lines = ("".join(line.split()).upper() for line in re.split(r"[\r\n]", text))
    return [line for line in lines if line and line != command]


def parse_reply(request: str, text: str) -> AdapterReply:
    """The answers to the OBD ``request`` (hex digits, such as ``010C``) in the ``text`` before the prompt."""
    parser = _Parser(bytes.fromhex(request))
    for line in text_lines(request, text):
        parser.line(line)
    return parser.reply()


@dataclass(slots=True)
class _Parser:
    request: bytes
    notices: set[Notice] = field(default_factory=set)
    garbled: int = 0
    can_frames: list[tuple[str, bytes]] = field(default_factory=list)
    whole: list[Message] = field(default_factory=list)
    pieces: _Pieces | None = None

    def line(self, line: str) -> None:
        """Sort one line, which is not empty, has no blanks, and is in capitals."""
        body = _PREFIX.sub("", line, count=1)
        if body == "ERROR" and body != line:
            self.notices.add(Notice.BUS_INIT_ERROR)
        elif body in ("", "OK"):
            return
        elif (notice := _notice(body)) is not None:
            self.notices.add(notice)
            self.garbled += "<" in body
        elif (piece := _PIECE.fullmatch(body)) is not None:
            self._piece(int(piece[1], 16), bytes.fromhex(piece[2]))
        elif _HEX.fullmatch(body) is not None:
            self._hex(body)
        else:
            self.garbled += 1

    def _hex(self, digits: str) -> None:
        if len(digits) == 3:
            self._close_pieces()
            self.pieces = _Pieces(int(digits, 16))
        elif len(digits) % 2 and digits[0] in "67":
            self.can_frames.append((digits[:3], bytes.fromhex(digits[3:])))
        elif len(digits) % 2:
            self.garbled += 1
        elif digits.startswith("18DAF1") and len(digits) > 8:
            self.can_frames.append((digits[:8], bytes.fromhex(digits[8:])))
        else:
            self._message(bytes.fromhex(digits))

    def _message(self, data: bytes) -> None:
        is_legacy = len(data) > 4 and data[1] in LEGACY_TARGETS and is_sealed(data)
        if is_legacy and answers(self.request, data[3:-1]):
            self.whole.append(Message(f"{data[2]:02X}", data[3:-1], Framing.LEGACY))
        elif answers(self.request, data):
            self.whole.append(Message(NO_HEADER, data, Framing.BARE))
        else:
            self.garbled += 1

    def _piece(self, number: int, data: bytes) -> None:
        if self.pieces is None or not self.pieces.add(number, data):
            self.garbled += 1
            self.pieces = None
        elif self.pieces.is_whole:
            self.whole.append(Message(NO_HEADER, self.pieces.payload, Framing.BARE))
            self.pieces = None

    def _close_pieces(self) -> None:
        if self.pieces is not None:
            self.garbled += 1
            self.pieces = None

    def reply(self) -> AdapterReply:
        self._close_pieces()
        payloads, broken = reassemble(self.can_frames)
        self.garbled += broken
        messages = [*self.whole, *(Message(ecu, payload, Framing.CAN) for ecu, payload in payloads)]
        refusals = []
        positive = []
        for message in messages:
            if not answers(self.request, message.payload):
                self.garbled += 1
            elif message.payload[0] != NEGATIVE:
                positive.append(message)
            elif message.payload[2] != RESPONSE_PENDING:
                refusals.append(Refusal(message.ecu, message.payload[2]))
        return AdapterReply(tuple(positive), tuple(refusals), self.garbled, frozenset(self.notices))


def _notice(body: str) -> Notice | None:
    """The notice in a line; one may stand behind data that it spoils (``...<DATAERROR``)."""
    if body.startswith("?"):
        return Notice.UNKNOWN_COMMAND
    if body.startswith(Notice.RESET.value):
        return Notice.RESET
    _, mark, after = body.partition("<")
    word = (after if mark else body).strip("!>.")
    return next((n for n in Notice if n is not Notice.UNKNOWN_COMMAND and word == n.value), None)


class _Pieces:
    """The numbered lines of one message with headers off: six bytes, then seven each, the last one padded."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._next = 0
        self._data = b""

    def add(self, number: int, data: bytes) -> bool:
        """Whether the piece is the next one; with headers off, two ECUs at once cannot be told apart."""
        if number != self._next or len(data) >= FRAME_BYTES_MAX:
            return False
        self._next = (number + 1) % SEQUENCE_MODULUS
        self._data += data
        return True

    @property
    def is_whole(self) -> bool:
        return len(self._data) >= self._length

    @property
    def payload(self) -> bytes:
        return self._data[: self._length]
