"""Trouble codes with their status, unit by unit (UDS 19 02, 19 06), and one list of all of them. Pure.

Status bits (ISO 14229-1): 0 failed now, 2 pending, 3 confirmed, 7 its lamp is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent import paths
from milepost_agent.errors import ReplyError
from milepost_agent.sources.obd.dtc import decode_dtc
from milepost_agent.sources.obd.readonly import BY_STATUS_MASK, EXTENDED_DATA, TROUBLE_CODES_SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from milepost_agent.sources.obd.messages import Message
    from milepost_agent.vehicles.profile import ExtendedRecord, Unit
    from milepost_protocol.signals import Value

FAILED_NOW: Final = 0x01
PENDING: Final = 0x04
CONFIRMED: Final = 0x08
LAMP: Final = 0x80
STATUS_MASK: Final = FAILED_NOW | PENDING | CONFIRMED | LAMP
CODES_S: Final = 60.0
HEADER_BYTES: Final = 3
RECORD_BYTES: Final = 4
CODE_BYTES: Final = 3
DETAIL_HEADER_BYTES: Final = 7
"""Service, sub-function, code, status and record number, before the data of a record."""


class Trouble(NamedTuple):
    """One code of one unit; ``raw`` are its three bytes, the last of which says in what way it failed."""

    raw: bytes
    status: int

    @property
    def code(self) -> str:
        """The code as OBD has it, such as P0301."""
        return decode_dtc(self.raw[0], self.raw[1])

    @property
    def text(self) -> str:
        """The code with its failure type, such as P0301-13."""
        return f"{self.code}-{self.raw[2]:02X}"


@dataclass(frozen=True, slots=True)
class CodesRead:
    """The question for all codes of one unit (19 02)."""

    unit: Unit
    interval_s: float = CODES_S

    @property
    def command(self) -> str:
        """The request, as hex digits."""
        return f"{TROUBLE_CODES_SERVICE:02X}{BY_STATUS_MASK:02X}{STATUS_MASK:02X}"

    @property
    def key(self) -> str:
        """Its name in a plan."""
        return f"{self.unit.name}:{self.command}"

    @property
    def interval_s_standing(self) -> float:
        """The same."""
        return self.interval_s

    @property
    def needs_all(self) -> bool:
        """Half a list of codes would pass for one whose other codes are gone."""
        return True

    def decode(self, messages: Sequence[Message]) -> list[tuple[str, Value]]:
        """The unit's own lists of confirmed and of pending codes.

        Raises:
            ReplyError: half a record.
        """
        troubles = parse_troubles(messages[0].payload)
        return [
            (signal, " ".join(sorted({t.code for t in troubles if t.status & bit})))
            for signal, bit in ((paths.DTC_CONFIRMED, CONFIRMED), (paths.DTC_PENDING, PENDING))
        ]


def parse_troubles(payload: bytes) -> list[Trouble]:
    """The codes in an answer to 19 02: three bytes each, and their status.

    Raises:
        ReplyError: half a record.
    """
    records = payload[HEADER_BYTES:]
    if len(payload) < HEADER_BYTES or len(records) % RECORD_BYTES:
        raise ReplyError("1902", f"holds half a trouble code: {payload.hex()[:64]}")
    cut = (records[n : n + RECORD_BYTES] for n in range(0, len(records), RECORD_BYTES))
    return [Trouble(record[:CODE_BYTES], record[CODE_BYTES]) for record in cut if any(record[:CODE_BYTES])]


def detail_request(trouble: Trouble, record: ExtendedRecord) -> bytes:
    """The request for one record of extended data of a code (19 06)."""
    return bytes((TROUBLE_CODES_SERVICE, EXTENDED_DATA)) + trouble.raw + bytes((record.record,))


def parse_counter(trouble: Trouble, record: ExtendedRecord, payload: bytes) -> int:
    """The counter in an answer to 19 06.

    Raises:
        ReplyError: of another code or record, or too short.
    """
    is_it = payload[2:5] == trouble.raw and payload[6:DETAIL_HEADER_BYTES] == bytes((record.record,))
    data = payload[DETAIL_HEADER_BYTES:]
    if not is_it or len(data) <= record.byte:
        raise ReplyError(detail_request(trouble, record).hex(), f"holds no such record: {payload.hex()[:64]}")
    return data[record.byte]


def detail_text(unit: str, trouble: Trouble, counters: Mapping[str, int]) -> str:
    """A code with all that its unit says of it, as ``Vehicle.Milepost.Diagnostics.DtcDetail`` holds it."""
    told = "".join(f" {name} {count}" for name, count in counters.items())
    return f"{trouble.text} unit {unit} status {trouble.status:02X}{told}"


class CodeBook:
    """One list of codes per status, from all that tell codes: OBD as a whole, and single units.

    A list is given only when everybody who tells it has been heard, or is known not to answer: else codes of
    a unit not yet asked would pass for codes that are gone.
    """

    def __init__(self, origins: Iterable[tuple[str, str]]) -> None:
        self._lists: dict[tuple[str, str], frozenset[str] | None] = dict.fromkeys(origins)
        self._silent: set[str] = set()

    def heard(self, origin: str, status: str, codes: str) -> str | None:
        """Note the ``codes`` that ``origin`` tells under ``status``; gives the whole list, if it is known."""
        self._silent.discard(origin)
        self._lists[origin, status] = frozenset(codes.split())
        return self._whole(status)

    def silent(self, origin: str) -> list[tuple[str, str]]:
        """Note that ``origin`` does not answer: what it said last, if anything, still stands.

        Gives the lists that waited for it alone, each with its status.
        """
        if origin in self._silent:
            return []
        self._silent.add(origin)
        awaited = [status for (who, status), codes in self._lists.items() if who == origin and codes is None]
        whole = ((status, self._whole(status)) for status in awaited)
        return [(status, codes) for status, codes in whole if codes is not None]

    def _whole(self, status: str) -> str | None:
        told = {origin: codes for (origin, of), codes in self._lists.items() if of == status}
        is_partial = any(codes is None and origin not in self._silent for origin, codes in told.items())
        if is_partial or all(codes is None for codes in told.values()):
            return None
        return " ".join(sorted(frozenset().union(*(codes or frozenset() for codes in told.values()))))
