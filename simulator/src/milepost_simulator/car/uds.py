"""A control unit that speaks UDS: data by identifier, trouble codes with status, and refusals of all else.

Written from ISO 14229-1, on purpose without a look at the agent: this side encodes, the agent decodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from milepost_simulator.car.snapshot import Snapshot

READ_DATA = 0x22
READ_CODES = 0x19
BY_STATUS_MASK = 0x02
EXTENDED_DATA = 0x06
OCCURRENCES_RECORD = 0x01
AGEING_RECORD = 0x02
AVAILABLE_STATUS = 0xFF

NEGATIVE = 0x7F
POSITIVE = 0x40
SERVICE_NOT_SUPPORTED = 0x11
SUBFUNCTION_NOT_SUPPORTED = 0x12
WRONG_LENGTH = 0x13
OUT_OF_RANGE = 0x31


class StoredCode(NamedTuple):
    """A code of three bytes with its status, and how often it was seen and how many cycles ago."""

    raw: bytes
    status: int
    occurrences: int = 1
    ageing: int = 0


def no_codes(_: Snapshot) -> Sequence[StoredCode]:
    """A unit without faults."""
    return ()


@dataclass(frozen=True, slots=True)
class UdsModel:
    """What a unit knows: data by identifier, its codes, and whether it tells their counters (19 06)."""

    data: Mapping[int, Callable[[Snapshot], bytes]] = field(default_factory=dict)
    codes: Callable[[Snapshot], Sequence[StoredCode]] = no_codes
    tells_counters: bool = True


class UdsUnit:
    """Answers services 22 and 19, and refuses every other."""

    def __init__(self, model: UdsModel) -> None:
        self._model = model

    def respond(self, request: bytes, now: Snapshot) -> bytes:
        """The answer's payload; a refusal is one, too."""
        if request[0] == READ_DATA:
            return self._data(request, now)
        if request[0] == READ_CODES:
            return self._codes(request, now)
        return _refusal(request[0], SERVICE_NOT_SUPPORTED)

    def _data(self, request: bytes, now: Snapshot) -> bytes:
        if len(request) != 3:
            return _refusal(READ_DATA, WRONG_LENGTH)
        make = self._model.data.get(int.from_bytes(request[1:], "big"))
        if make is None:
            return _refusal(READ_DATA, OUT_OF_RANGE)
        return bytes((POSITIVE | READ_DATA,)) + request[1:] + make(now)

    def _codes(self, request: bytes, now: Snapshot) -> bytes:
        head = bytes((POSITIVE | READ_CODES,)) + request[1:2]
        codes = self._model.codes(now)
        if request[1:2] == bytes((BY_STATUS_MASK,)) and len(request) == 3:
            shown = (code for code in codes if code.status & request[2])
            return head + bytes((AVAILABLE_STATUS,)) + b"".join(c.raw + bytes((c.status,)) for c in shown)
        if request[1:2] == bytes((EXTENDED_DATA,)) and len(request) == 6 and self._model.tells_counters:
            found = next((code for code in codes if code.raw == request[2:5]), None)
            counters = {} if found is None else _counters(found)
            if found is None or request[5] not in counters:
                return _refusal(READ_CODES, OUT_OF_RANGE)
            return head + found.raw + bytes((found.status, request[5], counters[request[5]]))
        return _refusal(READ_CODES, SUBFUNCTION_NOT_SUPPORTED)


def _counters(code: StoredCode) -> dict[int, int]:
    return {OCCURRENCES_RECORD: code.occurrences, AGEING_RECORD: code.ageing}


def _refusal(service: int, code: int) -> bytes:
    return bytes((NEGATIVE, service, code))
